//! Text as SCIM compares it: with or without regard to case.

use std::borrow::Cow;
use std::cmp::Ordering;

/// The text with differences of case taken out, character by character and without locale, so that it can
/// be compared, searched and ordered without regard to case.
pub fn fold_case(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    // By way of upper case, so that ß equals SS and both small sigmas are one.
    Cow::Owned(text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect())
}

/// The text as it is compared.
pub fn comparable(text: &str, case_exact: bool) -> Cow<'_, str> {
    if case_exact { Cow::Borrowed(text) } else { fold_case(text) }
}

/// Whether two texts are the same.
pub fn equal(left: &str, right: &str, case_exact: bool) -> bool {
    left == right || (!case_exact && fold_case(left) == fold_case(right))
}

/// The order of two texts by code point.
pub fn order(left: &str, right: &str, case_exact: bool) -> Ordering {
    comparable(left, case_exact).cmp(&comparable(right, case_exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_folded_beyond_ascii() {
        assert!(equal("Zoé", "ZOÉ", false) && !equal("Zoé", "ZOÉ", true));
        assert!(equal("straße", "STRASSE", false));
        assert!(equal("ὀδός", "ὈΔΌΣ", false));
        assert_eq!(order("a", "B", false), Ordering::Less);
        assert_eq!(order("a", "B", true), Ordering::Greater);
    }
}
