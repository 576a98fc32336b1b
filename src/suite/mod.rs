//! Suites: what an author writes, read into types, checked, and kept with the place of every part.

pub mod model;
