//! Reads YAML into types, strictly, and says where and how a text departs from them.
//!
//! YAML's traps are closed here: `yes` is no boolean, `007` and `1_000` are texts, a key stands once, and there are
//! no anchors, merge keys or tags. It refuses to know what the types mean.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Error, MessageFormatter, Options, UserMessageFormatter};

use super::diagnostic::{Diagnostic, Excerpt, Severity};
use super::nearest::{nearest, suggestion};
use super::place::{Places, Spot};
use crate::outcome::Place;

/// The largest file that is read, in bytes.
pub const MAX_FILE: u64 = 4 * 1024 * 1024;

fn options() -> Options {
    serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: 100,
            max_anchors: 0,
            max_aliases: 0,
            max_documents: 1,
            max_nodes: 500_000,
            max_events: 1_000_000,
        },
    }
}

/// Reads a text.
///
/// # Errors
/// The first place where the text is no YAML or departs from the type, with a hint.
pub fn read<T: DeserializeOwned>(file: &str, source: &str) -> Result<T, Box<Diagnostic>> {
    serde_saphyr::from_str_with_options(source, options())
        .map_err(|error| Box::new(explain(file, source, &error)))
}

/// A diagnostic at a spot of a text.
pub fn diagnostic_at(
    file: &str,
    source: &str,
    spot: Spot,
    severity: Severity,
    message: impl Into<String>,
    hint: Option<String>,
) -> Diagnostic {
    let line = lines(source).nth(spot.line.saturating_sub(1) as usize);
    Diagnostic {
        place: Place { file: file.to_owned(), line: spot.line, column: spot.column },
        severity,
        message: message.into(),
        hint,
        excerpt: line.map(|line| Excerpt { line: line.to_owned(), length: spot.length }),
    }
}

fn explain(file: &str, source: &str, error: &Error) -> Diagnostic {
    let mut spot = error.location().map_or(Spot::START, |location| Spot {
        line: u32::try_from(location.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(location.column()).unwrap_or(u32::MAX).max(1),
        length: 1,
    });
    let places = Places::read(source);
    if let Some(known) = places.at(spot) {
        spot = known;
        // The reader often knows no more than the key; what is meant is its value, or the mapping that lacks a key.
        let meant = match innermost(error) {
            Error::SerdeMissingField { .. } => places.mapping_at(spot),
            Error::SerdeInvalidType { .. }
            | Error::SerdeInvalidValue { .. }
            | Error::SerdeInvalidLength { .. }
            | Error::SerdeUnknownVariant { .. } => places.scalar_of_key(spot),
            _ => None,
        };
        spot = meant.unwrap_or(spot);
    }
    let (message, hint) = words(error, source, spot);
    diagnostic_at(file, source, spot, Severity::Error, message, hint)
}

fn innermost(mut error: &Error) -> &Error {
    while let Error::AliasError { error: inner, .. } | Error::WithSnippet { error: inner, .. } = error {
        error = inner;
    }
    error
}

/// What an error means, in an author's words, and how to mend it.
fn words(error: &Error, source: &str, spot: Spot) -> (String, Option<String>) {
    match innermost(error) {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), suggestion(field, expected.iter().copied()))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown word `{variant}`"), word_hint(variant, expected))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing here"), None),
        Error::SerdeInvalidType { unexpected, expected, .. } => {
            (format!("expected {expected}, found {unexpected}"), flow_hint(source, spot))
        }
        Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("expected {expected}, found {unexpected}"), flow_hint(source, spot))
        }
        Error::SerdeInvalidLength { len, expected, .. } => {
            (format!("expected {expected}, found {len}"), None)
        }
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => {
                (format!("the key `{key}` stands here twice"), Some("merge the two into one".to_owned()))
            }
            None => ("a key stands here twice".to_owned(), Some("merge the two into one".to_owned())),
        },
        Error::MergeKeyNotAllowed { .. } => (
            "merge keys (`<<`) are not part of the suite format".to_owned(),
            Some("write the members out, or move them to a fixture".to_owned()),
        ),
        Error::Budget { breach, .. } => budget_words(&format!("{breach:?}")),
        Error::InvalidBooleanStrict { .. } => {
            ("expected true or false".to_owned(), Some("yes, no, on and off are texts".to_owned()))
        }
        Error::NullIntoString { .. } => (
            "expected a text, found nothing".to_owned(),
            Some("write \"\" for an empty text, or leave the key out".to_owned()),
        ),
        Error::UnsupportedTag { tag, .. } => {
            (format!("the tag `{tag}` is not part of the suite format"), Some("leave it out".to_owned()))
        }
        Error::Eof { .. } => ("the file ends before a suite began".to_owned(), None),
        Error::MultipleDocuments { .. } => several_documents(),
        Error::Unexpected { expected: "string scalar", .. } => ("expected a text here".to_owned(), None),
        Error::Unexpected { expected: "sequence start", .. } => {
            ("expected a list here".to_owned(), Some("write it in brackets: `[…]`".to_owned()))
        }
        Error::Unexpected { expected: "mapping start", .. } => ("expected a mapping here".to_owned(), None),
        other => {
            let message: Cow<'_, str> = UserMessageFormatter.format_message(other);
            let hint = if message.contains("found a tab") {
                Some("indent with blanks".to_owned())
            } else {
                flow_hint(source, spot)
            };
            (format!("cannot be read: {message}"), hint)
        }
    }
}

fn several_documents() -> (String, Option<String>) {
    ("one file holds one document".to_owned(), Some("move what follows `---` to its own file".to_owned()))
}

fn word_hint(word: &str, expected: &[&str]) -> Option<String> {
    match nearest(word, expected.iter().copied()) {
        Some(found) => Some(format!("did you mean `{found}`?")),
        None => Some(format!("one of {}", expected.join(", "))),
    }
}

fn budget_words(breach: &str) -> (String, Option<String>) {
    if breach.starts_with("Anchors") || breach.starts_with("Aliases") {
        return (
            "anchors and aliases (`&x`, `*x`) are not part of the suite format".to_owned(),
            Some("write the value out, or quote a text that begins with & or *".to_owned()),
        );
    }
    if breach.starts_with("Documents") {
        return several_documents();
    }
    if breach.starts_with("Depth") || breach.starts_with("FlowNesting") {
        return ("nested too deeply".to_owned(), None);
    }
    (format!("too large to be a suite ({breach})"), Some("split the file".to_owned()))
}

/// The commonest slip of flow style: `{id: ${x}}` reads as a mapping in a mapping, `$.a[0]` ends the list.
fn flow_hint(source: &str, spot: Spot) -> Option<String> {
    let last = spot.line as usize;
    let nearby = lines(source).skip(last.saturating_sub(2)).take(2.min(last));
    for line in nearby {
        if let Some(slip) = unquoted(line) {
            return Some(format!("`{slip}` holds characters of flow style: quote it"));
        }
    }
    None
}

/// The lines of a text as YAML counts them: a carriage return alone ends one, too (YAML 1.2 section 5.4).
fn lines(source: &str) -> impl Iterator<Item = &str> {
    source.lines().flat_map(|line| line.split('\r'))
}

/// The first unquoted `${…}` or `$.x[…]` inside braces or brackets of a line.
fn unquoted(line: &str) -> Option<&str> {
    let mut quote = None;
    let mut depth = 0usize;
    let mut previous = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if matches!(previous, ' ' | '{' | '[' | ',' | ':') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.saturating_sub(1),
            (None, '#') if previous == ' ' => return None,
            (None, '$') if depth > 0 => {
                let rest = &line[at..];
                let end = if rest.starts_with("${") {
                    rest.find('}').map_or(rest.len(), |end| end + 1)
                } else {
                    rest.find([',', '}', ' ']).unwrap_or(rest.len())
                };
                let slip = &rest[..end];
                if slip.starts_with("${") || slip.contains('[') {
                    return Some(slip);
                }
            }
            _ => {}
        }
        previous = c;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::model::Suite;

    fn slip(source: &str) -> String {
        read::<Suite>("x.yaml", source).expect_err("the text has a slip").to_string()
    }

    #[test]
    fn an_unknown_key_is_pointed_at_with_the_nearest_known_one() {
        assert_eq!(
            slip("suite: a\ntitle: b\ncases:\n  - id: c\n    title: d\n    step: []\n"),
            "x.yaml:6:5: error: unknown key `step` (help: did you mean `steps`?)"
        );
    }

    #[test]
    fn a_carriage_return_ends_a_line() {
        assert_eq!(lines("a\r\rb\r\nc\n").collect::<Vec<_>>(), ["a", "", "b", "c"]);
    }

    proptest::proptest! {
        /// Whatever a slip makes of a suite: it is read, or refused at a place that is in the text.
        #[test]
        fn no_slip_breaks_the_reader(at in 0usize..400, with in "[\\x00-\\x7fäλ]{0,3}", cut in 0usize..12) {
            const SUITE: &str = "suite: a\ntitle: b\ncases:\n  - id: c\n    title: d\n    fresh: {m: email}\n    steps:\n      - send: \
                POST /Users\n        body: {userName: \"${m}\", emails: [{value: 'x', primary: true}]}\n        expect:\n          \
                any:\n            - {status: [201, 2xx], checks: [{path: $.id, min: 1.5}]}\n";
            let at = at.min(SUITE.len());
            let after = (at + cut).min(SUITE.len());
            let text = format!("{}{with}{}", &SUITE[..at], &SUITE[after..]);
            if let Err(trouble) = read::<Suite>("x.yaml", &text) {
                proptest::prop_assert!(trouble.place.line as usize <= lines(&text).count() + 1, "{trouble}");
                proptest::prop_assert!(!trouble.render(false).is_empty());
            }
        }
    }

    #[test]
    fn unquoted_templates_in_flow_style_are_recognised() {
        assert_eq!(unquoted("  - {body: {id: ${x.id}}}"), Some("${x.id}"));
        assert_eq!(unquoted("  - {path: $.a[0].b, equals: 1}"), Some("$.a[0].b"));
        assert_eq!(unquoted("  - {path: \"$.a[0]\", equals: \"${x}\"}"), None);
        assert_eq!(unquoted("  - {path: $.a}"), None);
        assert_eq!(unquoted("  path: $.a[0]"), None);
    }
}
