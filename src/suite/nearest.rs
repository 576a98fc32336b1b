//! The nearest known word, for "did you mean" hints. Knows nothing of what the words mean.

/// The candidate most like `word`, if one is near enough to be what was meant.
///
/// Near enough is: equal but for the case of letters, or at most a third of the letters differ (at least one, at most
/// four). Of equally near candidates the first in order wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| !candidate.is_empty())
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", or the candidates when none is near and they are few, or nothing.
pub fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(found) = nearest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{found}`?"));
    }
    match candidates.len() {
        0 => None,
        1..=24 => Some(format!("known here: {}", candidates.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_slip_of_the_finger_and_ignores_the_unlike() {
        assert_eq!(nearest("stauts", ["status", "steps"]), Some("status"));
        assert_eq!(nearest("Patch", ["patch", "put"]), Some("patch"));
        assert_eq!(nearest("frobnicate", ["status", "steps"]), None);
    }

    #[test]
    fn lists_the_candidates_when_none_is_near() {
        assert_eq!(suggestion("frobnicate", ["a", "b"]).as_deref(), Some("known here: a, b"));
        assert_eq!(suggestion("x", std::iter::empty()), None);
    }
}
