//! The client that speaks to the service provider under test, and the promises it keeps.

pub mod exchange;
