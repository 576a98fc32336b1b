//! Literals: those that stand near a value that is held, and those that are meant to hurt.

use chrono::{FixedOffset, SecondsFormat, TimeDelta};
use proptest::prelude::*;
use proptest::sample::select;

use crate::scim::datetime;

/// How a literal stands to the value that it was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Nearness {
    /// The value itself.
    Exact,
    /// The value with the case of its letters turned round.
    OtherCase,
    /// The value without its end.
    Beginning,
    /// The value without its beginning.
    End,
    /// The value without either.
    Middle,
    /// The middle of the value with its case turned round.
    MiddleInOtherCase,
    /// The value with one letter changed.
    Changed,
    /// The value and more.
    Longer,
    /// The value with `%` in the place of its end, which is no wildcard here.
    Percent,
    /// The value with `_` in the place of a letter, which is no wildcard here.
    Underscore,
    /// The value with `*` in the place of its end, which is no wildcard here.
    Asterisk,
}

impl Nearness {
    /// All of them.
    pub const ALL: [Nearness; 11] = [
        Nearness::Exact,
        Nearness::OtherCase,
        Nearness::Beginning,
        Nearness::End,
        Nearness::Middle,
        Nearness::MiddleInOtherCase,
        Nearness::Changed,
        Nearness::Longer,
        Nearness::Percent,
        Nearness::Underscore,
        Nearness::Asterisk,
    ];

    /// The literal that stands so to a text; none where there is none that differs.
    pub fn of(self, text: &str) -> Option<String> {
        let letters: Vec<char> = text.chars().collect();
        let (count, third) = (letters.len(), (letters.len() / 3).max(1));
        let part = |from: usize, to: usize| letters[from..to].iter().collect::<String>();
        let long = |least: usize, text: String| (count >= least).then_some(text);
        match self {
            Nearness::Exact => Some(text.to_owned()),
            Nearness::OtherCase => Some(other_case(text)).filter(|other| other != text),
            Nearness::Beginning => long(2, part(0, count.saturating_sub(third))),
            Nearness::End if count >= 2 => Some(part(third, count)),
            Nearness::Middle if count >= 3 => Some(part(third, count - third)).filter(|it| !it.is_empty()),
            Nearness::MiddleInOtherCase => {
                let middle = Nearness::Middle.of(text)?;
                Nearness::OtherCase.of(&middle)
            }
            Nearness::Changed if count >= 1 => {
                let at = count / 2;
                let other = if letters[at] == 'q' { 'k' } else { 'q' };
                Some(letters.iter().enumerate().map(|(i, it)| if i == at { other } else { *it }).collect())
            }
            Nearness::Longer => Some(format!("{text}q")),
            Nearness::Percent if count >= 2 => Some(format!("{}%", part(0, count - third))),
            Nearness::Underscore if count >= 2 => {
                Some(format!("{}_{}", part(0, count - third), part(count - third + 1, count)))
            }
            Nearness::Asterisk if count >= 2 => Some(format!("{}*", part(0, count - third))),
            _ => None,
        }
    }
}

/// The text with the case of each letter of ASCII turned round: others have no other case that all agree about.
pub fn other_case(text: &str) -> String {
    text.chars()
        .map(|it| if it.is_ascii_lowercase() { it.to_ascii_uppercase() } else { it.to_ascii_lowercase() })
        .collect()
}

/// A dateTime some seconds later (or earlier), written in another time zone.
pub fn later(text: &str, seconds: i64, offset_minutes: i32) -> Option<String> {
    let time = datetime::parse(text).filter(|time| time.has_zone)?;
    let zone = FixedOffset::east_opt(offset_minutes * 60)?;
    let moved = time.utc.checked_add_signed(TimeDelta::try_seconds(seconds)?)?;
    Some(moved.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// A literal near one of these texts.
pub fn near(held: Vec<String>) -> BoxedStrategy<String> {
    if held.is_empty() {
        return hostile();
    }
    (select(held), select(Nearness::ALL.to_vec()))
        .prop_map(|(text, nearness)| nearness.of(&text).unwrap_or(text))
        .boxed()
}

/// Texts that are meant to break whoever reads them carelessly. Any of them may be refused; none may do harm.
pub fn hostile() -> BoxedStrategy<String> {
    prop_oneof![select(HOSTILE.to_vec()).prop_map(str::to_owned), "[\\PC]{0,12}", "[a-z'\"\\\\%_();]{1,16}",]
        .boxed()
}

/// The hostile texts that are tried in any case.
pub const HOSTILE: [&str; 8] = [
    "",
    "x' or '1'='1",
    "\u{0}",
    "x\" or \"1\"=\"1",
    "x'; drop table users; --",
    "${7*7}{{7*7}}",
    "../../etc/passwd",
    "*)(objectClass=*",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_stand_as_they_say() {
        let of = |nearness: Nearness| nearness.of("Alphabet").unwrap();
        assert_eq!(of(Nearness::Beginning), "Alphab");
        assert_eq!(of(Nearness::End), "phabet");
        assert_eq!(of(Nearness::Middle), "phab");
        assert_eq!(of(Nearness::MiddleInOtherCase), "PHAB");
        assert_eq!(of(Nearness::OtherCase), "aLPHABET");
        assert_eq!(of(Nearness::Percent), "Alphab%");
        assert_eq!(of(Nearness::Underscore), "Alphab_t");
        assert_eq!(Nearness::OtherCase.of("123"), None);
        for nearness in Nearness::ALL {
            // None of them panics, whatever the text is.
            for text in ["", "a", "日本", "ab"] {
                let _ = nearness.of(text);
            }
        }
        assert_eq!(later("2024-01-01T08:00:00Z", 60, 120).as_deref(), Some("2024-01-01T10:01:00+02:00"));
        assert_eq!(later("tomorrow", 60, 0), None);
    }
}
