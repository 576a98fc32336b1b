//! Explanations: what a case, rule, suite, requirement, vendor's statement, dispute, fault, variant or profile asks, why
//! it matters, who trips over it and how to mend it.
//!
//! Pure, and made of nothing but what the suites, the catalogue, the profiles and the server's own catalogues say: what
//! nobody wrote is left out. It refuses to know targets and verdicts.

mod about;
pub mod card;
mod case;
mod fault;
mod profile;
mod requirement;
mod trial;

pub use card::{Card, Line};

use crate::coverage::{Citations, Proofs};
use crate::requirement::Catalogue;
use crate::server::{faults, variants};
use crate::suite::load::Library;
use crate::suite::nearest::nearest;

/// What explanations are made of.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'s> {
    /// The suites and profiles.
    pub library: &'s Library,
    /// The requirements and the vendors' statements.
    pub catalogue: &'s Catalogue,
    /// Which cases cite them.
    pub citations: &'s Citations,
    /// Which faults the cases have been seen to find.
    pub proofs: &'s Proofs,
}

/// Nothing has this id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nothing is called `{id}`{}", hint(.nearest))]
pub struct UnknownId {
    /// What was asked for.
    pub id: String,
    /// What there is and is like it, the most alike first.
    pub nearest: Vec<String>,
}

/// How many ids are named for one that does not exist.
const NEAREST: usize = 3;

fn hint(nearest: &[String]) -> String {
    match nearest {
        [] => String::new(),
        some => {
            let quoted: Vec<String> = some.iter().map(|id| format!("`{id}`")).collect();
            format!("; did you mean {}?", quoted.join(" or "))
        }
    }
}

/// Explains whatever has this id; most ids mean one thing.
///
/// # Errors
/// [`UnknownId`], with the ids that are like it.
pub fn explain(id: &str, sources: Sources<'_>) -> Result<Vec<Card>, UnknownId> {
    let id = id.trim();
    let mut cards: Vec<Card> = Vec::new();
    cards.extend(case::case(id, sources));
    cards.extend(case::suite(id, sources));
    cards.extend(requirement::requirement(id, sources));
    cards.extend(requirement::source(id, sources));
    cards.extend(requirement::dispute(id, sources));
    cards.extend(fault::fault(id, sources));
    cards.extend(fault::variant(id));
    cards.extend(profile::profile(id, sources));
    cards.extend(profile::features(id, sources));
    if cards.is_empty() {
        return Err(UnknownId { id: id.to_owned(), nearest: alike(id, sources) });
    }
    Ok(cards)
}

/// The ids most like one that does not exist: of its own kind, as far as its form shows, and of all kinds.
fn alike(id: &str, sources: Sources<'_>) -> Vec<String> {
    let Sources { library, catalogue, .. } = sources;
    let mut found: Vec<String> = Vec::new();
    let mut note = |id: Option<&str>| found.extend(id.map(str::to_owned));
    let cases: Vec<String> = library
        .suites()
        .iter()
        .flat_map(|file| file.suite.cases.iter().map(|case| file.case_id(case)))
        .collect();
    let suites: Vec<&str> = library.suites().iter().map(|file| file.suite.suite.as_str()).collect();
    let bare = about::bare(id);
    if id.contains('/') {
        note(nearest(bare, cases.iter().map(String::as_str)));
        // The right name in the wrong suite.
        let name = bare.rsplit('/').next().unwrap_or(bare);
        note(cases.iter().map(String::as_str).find(|case| case.split('/').nth(1) == Some(name)));
    }
    let upper = id.to_uppercase();
    note(catalogue.nearest(&upper));
    note(catalogue.nearest_source(&upper));
    note(nearest(id, suites));
    let names = faults::catalogue().iter().map(|entry| entry.name);
    note(nearest(id, names.chain(variants::catalogue().iter().map(|entry| entry.name))));
    note(nearest(id, library.profiles().keys().map(String::as_str)));
    // A word without its suite: the cases of that name, and else those most like it.
    if !id.contains('/') {
        let named = cases.iter().filter(|case| case.split('/').nth(1) == Some(id));
        found.splice(0..0, named.cloned().collect::<Vec<_>>());
    }
    let mut unique: Vec<String> = Vec::new();
    for id in found {
        if !unique.contains(&id) {
            unique.push(id);
        }
    }
    unique.truncate(NEAREST);
    unique
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::outcome::Level;
    use crate::report::look::Look;
    use crate::report::text::columns;

    static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::embedded().unwrap());
    static CITATIONS: LazyLock<Citations> = LazyLock::new(|| Citations::of(&LIBRARY));
    const LOOK: Look = Look { width: 100, colour: false };

    fn sources() -> Sources<'static> {
        Sources {
            library: &LIBRARY,
            catalogue: Catalogue::embedded(),
            citations: &CITATIONS,
            proofs: Proofs::embedded(),
        }
    }

    #[test]
    fn everything_that_has_an_id_can_be_explained_in_a_hundred_columns() {
        let mut ids: Vec<String> = Vec::new();
        for file in LIBRARY.suites() {
            ids.push(file.suite.suite.clone());
            for case in &file.suite.cases {
                let id = file.case_id(case);
                ids.extend(case.trial_ids().map(|row| format!("{id}[{row}]")));
                ids.extend(case.for_each.iter().map(|_| format!("{id}[User.badge]")));
                ids.push(id);
            }
        }
        ids.extend(Catalogue::embedded().requirements().map(|one| one.id.clone()));
        ids.extend(Catalogue::embedded().sources().map(|one| one.id.clone()));
        ids.extend(faults::catalogue().iter().map(|entry| entry.name.to_owned()));
        ids.extend(variants::catalogue().iter().map(|entry| entry.name.to_owned()));
        ids.extend(LIBRARY.profiles().keys().cloned());
        for id in ids {
            let cards = explain(&id, sources()).unwrap_or_else(|error| panic!("{error}"));
            for card in cards {
                let shown = card.render(LOOK);
                let too_wide = shown.lines().find(|line| {
                    let link_or_command = line.contains("https://") || line.contains("scimspec ");
                    columns(line) > LOOK.width && !link_or_command
                });
                assert_eq!(too_wide, None, "{id}");
                assert!(card.labels().next().is_some(), "{id} has a title and nothing more");
                assert!(card.labels().all(|label| columns(label) <= 12), "{id}");
            }
        }
    }

    #[test]
    fn a_row_a_form_and_a_checkpoint_are_found() {
        let file = LIBRARY
            .suites()
            .iter()
            .find(|file| file.suite.cases.iter().any(|case| !case.rows.is_empty()))
            .unwrap();
        let case = file.suite.cases.iter().find(|case| !case.rows.is_empty()).unwrap();
        let id = format!("{}[{}]", file.case_id(case), case.rows[0].id);
        assert_eq!(explain(&id, sources()).unwrap()[0].id, id);
        assert!(explain(&format!("{}[no-such-row]", file.case_id(case)), sources()).is_err());
        let (file, name) = LIBRARY
            .suites()
            .iter()
            .find_map(|file| {
                let steps = file.suite.cases.iter().flat_map(|case| &case.steps);
                let name = steps.filter_map(|step| step.checkpoint.as_deref()).next()?;
                Some((file, name))
            })
            .unwrap();
        let id = format!("{}/{name}", file.suite.suite);
        assert_eq!(explain(&id, sources()).unwrap()[0].id, id);
    }

    #[test]
    fn a_trial_says_what_it_sends_and_what_is_right() {
        let shown = |id: &str| -> String {
            explain(id, sources()).unwrap().iter().map(|card| card.render(LOOK)).collect()
        };
        let filter = shown("filter/vectors[FV-019]");
        assert!(
            filter.contains("finds u1, u5") && filter.contains("fixtures/populations/filters.yaml"),
            "{filter}"
        );
        let patch = shown("patch/vectors[PV-072]");
        assert!(
            patch.contains("PATCH /Users/{id}") && patch.contains("refused with 400 invalidValue"),
            "{patch}"
        );
        assert!(shown("filter/malformed[value-missing]").contains("${row.filter}  userName eq"));
        let all = shown("characteristics/immutable");
        assert!(all.contains("an attribute of User with mutability immutable"), "{all}");
        let one = shown("characteristics/immutable[User.badge]");
        assert!(one.contains("characteristics/immutable[User.badge]") && one.contains("/Schemas"), "{one}");
        assert!(explain("characteristics/immutable[badge]", sources()).is_err());
    }

    #[test]
    fn ids_of_documents_are_found_whatever_their_case() {
        assert_eq!(explain("rfc7644-3.3-07", sources()).unwrap()[0].id, "RFC7644-3.3-07");
        assert_eq!(explain("amp-03", sources()).unwrap()[0].id, "AMP-03");
        let dispute = explain("AMB-061", sources()).unwrap();
        assert_eq!((dispute[0].kind, dispute[0].id.as_str()), ("dispute", "AMB-61"));
    }

    #[test]
    fn what_does_not_exist_is_answered_with_what_is_like_it() {
        let alike = |id: &str| explain(id, sources()).unwrap_err().nearest;
        assert_eq!(alike("create/minimal-usr")[0], "create/minimal-user");
        assert!(alike("RFC7644-3.3-99")[0].starts_with("RFC7644-3.3-"));
        assert!(alike("minimal-user").contains(&"create/minimal-user".to_owned()));
        assert!(alike("create-answers-201").contains(&"create-answers-200".to_owned()));
        let error = explain("zzzzzzzz", sources()).unwrap_err().to_string();
        assert_eq!(error, "nothing is called `zzzzzzzz`");
    }

    /// How many cases and rules that bind as a must say neither why they matter nor how to mend a server. None is
    /// invented for the number's sake; but it only falls.
    const UNADVISED: usize = 338;

    #[test]
    fn ever_fewer_must_cases_say_neither_why_nor_how_to_mend() {
        let mut unadvised = Vec::new();
        for file in LIBRARY.suites() {
            for case in &file.suite.cases {
                let binds = Catalogue::embedded().level_of(&file.suite, case) == Level::Must;
                if binds && case.why.is_none() && case.hint.is_none() {
                    unadvised.push(file.case_id(case));
                }
            }
        }
        assert!(
            unadvised.len() <= UNADVISED,
            "{} cases say neither `why` nor `hint`, at most {UNADVISED} did before:\n{}",
            unadvised.len(),
            unadvised.join("\n")
        );
    }
}
