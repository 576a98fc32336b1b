//! The cases of `--quick`: those that find most in a hundred requests, chosen from the matrix of faults and cases.
//!
//! The choice is data (`quick.toml`), computed by the tests that make the matrix and never written by hand.

use serde::Deserialize;

/// The choice, as the binary has it.
const CHOICE: &str = include_str!("quick.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    cases: Vec<String>,
}

/// The ids of the cases, and a pattern for all rules: they judge what the cases exchange, and ask for nothing.
pub fn quick_cases() -> Vec<String> {
    match toml::from_str::<Choice>(CHOICE) {
        Ok(choice) => choice.cases.into_iter().chain(["rules/*".to_owned()]).collect(),
        Err(error) => unreachable!("the embedded choice of cases is broken: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_can_be_read() {
        let cases = quick_cases();
        assert!(cases.len() > 1, "rules alone see nothing");
        assert_eq!(cases.last().map(String::as_str), Some("rules/*"));
    }
}
