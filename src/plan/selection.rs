//! Which cases a run is about: globs over ids and tags.

use globset::{Glob, GlobMatcher};

use super::Part;

/// Which cases a run is about.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    cases: Vec<GlobMatcher>,
    skips: Vec<GlobMatcher>,
    tags: Vec<GlobMatcher>,
}

/// A pattern of `--case`, `--skip` or `--tag` that is no glob.
#[derive(Debug, thiserror::Error)]
#[error("'{pattern}' is no pattern: {why}")]
pub struct PatternError {
    /// The pattern as given.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

impl Selection {
    /// A selection of the cases and tags named, less those skipped. Empty lists narrow nothing.
    ///
    /// # Errors
    /// The first pattern that is no glob.
    pub fn new(cases: &[String], skips: &[String], tags: &[String]) -> Result<Selection, PatternError> {
        let compile = |patterns: &[String]| -> Result<Vec<GlobMatcher>, PatternError> {
            patterns
                .iter()
                .map(|pattern| {
                    // Ids of rows hold brackets, which a glob would read as a class: `case[row]` means itself.
                    let literal = pattern.replace('[', "[[]");
                    Glob::new(&literal).map(|glob| glob.compile_matcher()).map_err(|error| PatternError {
                        pattern: pattern.clone(),
                        why: error.kind().to_string(),
                    })
                })
                .collect()
        };
        Ok(Selection { cases: compile(cases)?, skips: compile(skips)?, tags: compile(tags)? })
    }

    /// Whether a case of that id is one of those named, whatever its tags.
    pub fn names(&self, id: &str) -> bool {
        let bare = id.split(['[', '@']).next().unwrap_or(id);
        self.cases.is_empty() || self.cases.iter().any(|glob| glob.is_match(id) || glob.is_match(bare))
    }

    pub(super) fn takes(&self, id: &str, parts: &[Part], tags: &[String]) -> bool {
        let named = |globs: &[GlobMatcher]| {
            let parts = parts.iter().map(|part| part.id.as_str());
            globs.iter().any(|glob| {
                spellings(id).iter().any(|id| glob.is_match(id))
                    || parts.clone().any(|id| glob.is_match(id) || glob.is_match(without_form(id)))
            })
        };
        (self.cases.is_empty() || named(&self.cases))
            && !named(&self.skips)
            && (self.tags.is_empty()
                || self.tags.iter().any(|glob| tags.iter().any(|tag| glob.is_match(tag))))
    }
}

/// What a job may be called: in full, without its row, without its form, without either.
fn spellings(id: &str) -> [String; 4] {
    let (case, row) = id.split_at(id.find('[').unwrap_or(id.len()));
    let bare = case.split('@').next().unwrap_or(case);
    [id.to_owned(), case.to_owned(), format!("{bare}{row}"), bare.to_owned()]
}

/// An id with its form left out: `suite/case@put[row]` is `suite/case[row]`, too.
fn without_form(id: &str) -> String {
    let [_, _, without, _] = spellings(id);
    without
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_selected_by_its_name_or_with_the_others() {
        let takes = |pattern: &str, id: &str| {
            Selection::new(&[pattern.to_owned()], &[], &[]).unwrap().takes(id, &[], &[])
        };
        for pattern in ["s/case@put[row]", "s/case@put", "s/case[row]", "s/case", "s/*", "*@put"] {
            assert!(takes(pattern, "s/case@put[row]"), "{pattern}");
        }
        for pattern in ["s/case@patch", "s/case@put[other]", "s/case[other]", "s/cas", "put"] {
            assert!(!takes(pattern, "s/case@put[row]"), "{pattern}");
        }
    }
}
