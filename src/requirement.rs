//! The catalogue of requirements.
