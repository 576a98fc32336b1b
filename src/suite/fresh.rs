//! Fresh values: names, addresses and ids that no run has used before, and that can be told for ours afterwards.
//!
//! Every generated userName, displayName, externalId and address carries the run's mark, by which ownership is proven
//! and leftovers are found. This module refuses to know targets; where values need another shape (`userName` in the
//! tenant's domain), the operator gives a pattern.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::model::{Fresh, FreshKind};

/// What stands in a fixture for a word of the resource's own.
pub const UNIQUE: &str = "{{unique}}";

/// How the operator wants generated values to look (`[new]` in the configuration). `{word}` stands for the run's mark
/// followed by a random word; a pattern without it gets it in front.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns {
    /// For userNames, such as `{word}@acme.test`.
    pub user_name: Option<String>,
    /// For e-mail addresses.
    pub email: Option<String>,
    /// For the names of groups.
    pub display_name: Option<String>,
    /// For external ids.
    pub external_id: Option<String>,
}

/// Makes fresh values. Two generators of the same mark, seed and trial give the same values in the same order.
#[derive(Debug)]
pub struct Generator {
    mark: String,
    seed: u64,
    patterns: Patterns,
    trial: String,
    count: AtomicU64,
}

/// A mark for a new run: `s` and eight random small letters and digits.
pub fn run_mark() -> String {
    let mut word = String::from("s");
    letters(uuid::Uuid::new_v4().as_bytes(), 8, &mut word);
    word
}

/// Whether a text carries the mark, in whatever case: a fresh value may have been put in capitals.
pub fn carries_mark(text: &str, mark: &str) -> bool {
    !mark.is_empty() && text.to_ascii_lowercase().contains(&mark.to_ascii_lowercase())
}

impl Generator {
    /// A generator for a run.
    pub fn new(mark: impl Into<String>, seed: u64, patterns: Patterns) -> Generator {
        Generator { mark: mark.into(), seed, patterns, trial: String::new(), count: AtomicU64::new(0) }
    }

    /// The generator of one trial, whose values do not depend on what other trials take meanwhile.
    pub fn for_trial(&self, id: &str) -> Generator {
        Generator {
            mark: self.mark.clone(),
            seed: self.seed,
            patterns: self.patterns.clone(),
            trial: id.to_owned(),
            count: AtomicU64::new(0),
        }
    }

    /// The run's mark.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The domain in which userNames are made: the operator's, where a pattern for them ends in one.
    pub fn domain(&self) -> &str {
        let own = self.patterns.user_name.as_deref().and_then(|pattern| pattern.rsplit_once('@'));
        own.map(|(_, domain)| domain)
            .filter(|domain| !domain.is_empty() && !domain.contains('{'))
            .unwrap_or("example.com")
    }

    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A new value of that kind.
    pub fn value(&self, kind: FreshKind) -> String {
        let bytes = self.bytes();
        let mut word = String::new();
        letters(&bytes, 8, &mut word);
        let marked = format!("{}{word}", self.mark);
        match kind {
            FreshKind::Email => {
                pattern(self.patterns.email.as_deref(), "{word}@example.com", &marked).to_lowercase()
            }
            FreshKind::MixedCaseEmail => {
                let capitals = format!("{}{}", self.mark, alternating(&format!("a{word}b")));
                pattern(self.patterns.email.as_deref(), "{word}@example.com", &capitals)
            }
            FreshKind::UserName => pattern(self.patterns.user_name.as_deref(), "{word}@example.com", &marked),
            FreshKind::DisplayName => pattern(self.patterns.display_name.as_deref(), "Group {word}", &marked),
            FreshKind::ExternalId => {
                let capitals = format!("{}{}", self.mark, alternating(&format!("a{word}b")));
                pattern(self.patterns.external_id.as_deref(), "Ext-{word}", &capitals)
            }
            FreshKind::GivenName => name_of_a_person(&bytes, 3),
            FreshKind::FamilyName => name_of_a_person(&bytes, 4),
            FreshKind::Word => word,
            FreshKind::Password => format!("Xk7!{}-{word}", alternating(&self.mark)),
            FreshKind::Uuid => {
                let mut sixteen = [0; 16];
                sixteen.copy_from_slice(&bytes[..16]);
                uuid::Builder::from_random_bytes(sixteen).into_uuid().to_string()
            }
        }
    }

    /// A value of that kind whose word is given, behind the run's mark: for resources that are to be found together.
    pub fn named(&self, kind: FreshKind, word: &str) -> String {
        let marked = format!("{}{word}", self.mark);
        match kind {
            FreshKind::DisplayName => pattern(self.patterns.display_name.as_deref(), "Group {word}", &marked),
            FreshKind::ExternalId => pattern(self.patterns.external_id.as_deref(), "Ext-{word}", &marked),
            _ => pattern(self.patterns.user_name.as_deref(), "{word}@example.com", &marked),
        }
    }

    /// A word that no other resource of any run carries: the mark and eight random letters and digits.
    pub fn unique(&self) -> String {
        let mut word = self.mark.clone();
        letters(&self.bytes(), 8, &mut word);
        word
    }

    /// A resource of its own from a fixture: `{{unique}}` becomes one new word throughout, and what carries it takes
    /// the operator's patterns (`userName`, `displayName`, `externalId`, `emails[].value`).
    pub fn instance(&self, fixture: &Value) -> Value {
        let word = self.unique();
        let mut instance = fixture.clone();
        substitute(&mut instance, &word, 0);
        let Some(members) = instance.as_object_mut() else { return instance };
        let carries = |text: &str| text.contains(&word);
        let reshape = |value: Option<&mut Value>, own: Option<&str>| {
            if let (Some(Value::String(text)), Some(own)) = (value, own)
                && carries(text)
            {
                *text = pattern(Some(own), own, local_part(text));
            }
        };
        reshape(members.get_mut("userName"), self.patterns.user_name.as_deref());
        // Where a service provider takes an id from the client, it is the userName.
        reshape(members.get_mut("id"), self.patterns.user_name.as_deref());
        reshape(members.get_mut("displayName"), self.patterns.display_name.as_deref());
        reshape(members.get_mut("externalId"), self.patterns.external_id.as_deref());
        for mail in members.get_mut("emails").and_then(Value::as_array_mut).into_iter().flatten() {
            reshape(mail.get_mut("value"), self.patterns.email.as_deref());
        }
        instance
    }

    fn bytes(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [self.mark.as_bytes(), &self.seed.to_be_bytes(), self.trial.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        hash.finalize().into()
    }
}

/// The value of a derived fresh value, from the one that it is derived from; of a kind, none.
pub fn derived(fresh: &Fresh, from: &str) -> Option<String> {
    match fresh {
        Fresh::Kind(_) => None,
        Fresh::Upper(_) => Some(from.to_uppercase()),
        Fresh::Lower(_) => Some(from.to_lowercase()),
        Fresh::Mixed(_) => Some(alternating(from)),
    }
}

/// Replaces `{{unique}}` in all texts of a value, as deep as fixtures go.
fn substitute(value: &mut Value, word: &str, depth: usize) {
    const DEEPEST: usize = 64;
    match value {
        Value::String(text) if text.contains(UNIQUE) => *text = text.replace(UNIQUE, word),
        Value::Array(elements) if depth < DEEPEST => {
            elements.iter_mut().for_each(|element| substitute(element, word, depth + 1));
        }
        Value::Object(members) if depth < DEEPEST => {
            members.values_mut().for_each(|member| substitute(member, word, depth + 1));
        }
        _ => {}
    }
}

/// What stands before the `@` of an address; of another text, all of it without blanks.
fn local_part(text: &str) -> &str {
    let before = text.split('@').next().unwrap_or(text);
    before.rsplit(' ').next().unwrap_or(before)
}

fn pattern(own: Option<&str>, usual: &str, word: &str) -> String {
    match own {
        Some(own) if own.contains("{word}") => own.replace("{word}", word),
        Some(own) => format!("{word}{own}"),
        None => usual.replace("{word}", word),
    }
}

/// Small letters and digits out of random bytes.
fn letters(bytes: &[u8], count: usize, into: &mut String) {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    into.extend(bytes.iter().take(count).map(|byte| ALPHABET[usize::from(*byte) % 36] as char));
}

/// The text with the case of its letters alternating, capital first.
fn alternating(text: &str) -> String {
    let mut capital = false;
    text.chars()
        .map(|c| {
            if !c.is_alphabetic() {
                return c;
            }
            capital = !capital;
            if capital { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
        })
        .collect()
}

/// A name that could be a person's, of that many syllables.
fn name_of_a_person(bytes: &[u8], syllables: usize) -> String {
    const ONSETS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 5] = b"aeiou";
    let mut name = String::new();
    for pair in bytes.chunks(2).take(syllables) {
        let [onset, vowel] = pair else { continue };
        name.push(ONSETS[usize::from(*onset) % 16] as char);
        name.push(VOWELS[usize::from(*vowel) % 5] as char);
    }
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const KINDS: [FreshKind; 10] = [
        FreshKind::Email,
        FreshKind::MixedCaseEmail,
        FreshKind::UserName,
        FreshKind::DisplayName,
        FreshKind::GivenName,
        FreshKind::FamilyName,
        FreshKind::ExternalId,
        FreshKind::Word,
        FreshKind::Password,
        FreshKind::Uuid,
    ];

    fn generator() -> Generator {
        Generator::new("s0123abcd", 7, Patterns::default())
    }

    #[test]
    fn values_repeat_with_the_trial_and_differ_within_it() {
        let take = |trial: &str| {
            let generator = generator().for_trial(trial);
            KINDS.map(|kind| generator.value(kind))
        };
        assert_eq!(take("a/b"), take("a/b"));
        let both: HashSet<String> = take("a/b").into_iter().chain(take("a/c")).collect();
        assert_eq!(both.len(), 20, "{both:?}");
    }

    #[test]
    fn what_a_server_stores_under_a_key_carries_the_mark() {
        let generator = generator();
        for kind in [
            FreshKind::Email,
            FreshKind::MixedCaseEmail,
            FreshKind::UserName,
            FreshKind::DisplayName,
            FreshKind::ExternalId,
            FreshKind::Password,
        ] {
            let value = generator.value(kind);
            assert!(carries_mark(&value, generator.mark()), "{kind:?}: {value}");
            assert!(carries_mark(&value.to_uppercase(), generator.mark()), "{kind:?}: {value}");
        }
    }

    #[test]
    fn mixed_case_has_both_cases_in_the_local_part() {
        let mail = generator().value(FreshKind::MixedCaseEmail);
        let local = mail.split('@').next().unwrap();
        assert!(local.chars().any(char::is_uppercase) && local.chars().any(char::is_lowercase), "{mail}");
        assert!(mail.ends_with("@example.com"), "{mail}");
    }

    #[test]
    fn the_domain_is_that_of_the_pattern() {
        let domain = |pattern: Option<&str>| {
            let patterns = Patterns { user_name: pattern.map(str::to_owned), ..Patterns::default() };
            Generator::new("s0", 7, patterns).domain().to_owned()
        };
        assert_eq!(domain(None), "example.com");
        assert_eq!(domain(Some("{word}@tenant.example.net")), "tenant.example.net");
        assert_eq!(domain(Some("user-{word}")), "example.com");
        assert_eq!(domain(Some("x@{word}")), "example.com");
    }

    #[test]
    fn the_operators_patterns_are_kept() {
        let patterns = Patterns {
            user_name: Some("{word}@acme.test".into()),
            email: Some("@acme.test".into()),
            ..Patterns::default()
        };
        let generator = Generator::new("s0", 7, patterns);
        for kind in [FreshKind::UserName, FreshKind::Email] {
            let value = generator.value(kind);
            assert!(value.starts_with("s0") && value.ends_with("@acme.test"), "{value}");
        }
    }

    #[test]
    fn an_instance_of_a_fixture_has_one_word_of_its_own_throughout() {
        let fixture = serde_json::json!({
            "userName": "{{unique}}@example.com",
            "displayName": "Ann",
            "emails": [{"value": "{{unique}}.work@example.com"}, {"value": "fixed@example.com"}]
        });
        let plain = generator().instance(&fixture);
        let word = plain["userName"].as_str().unwrap().strip_suffix("@example.com").unwrap().to_owned();
        assert!(word.starts_with("s0123abcd") && word.len() == 17, "{word}");
        assert_eq!(plain["emails"][0]["value"], format!("{word}.work@example.com"));
        assert_eq!(plain["displayName"], "Ann");

        let patterns = Patterns {
            user_name: Some("{word}@acme.test".into()),
            email: Some("{word}@mail.test".into()),
            display_name: Some("X {word}".into()),
            ..Patterns::default()
        };
        let own = Generator::new("s0123abcd", 7, patterns).instance(&fixture);
        assert_eq!(own["userName"], format!("{word}@acme.test"));
        assert_eq!(own["emails"][0]["value"], format!("{word}.work@mail.test"));
        assert_eq!(own["emails"][1]["value"], "fixed@example.com");
        assert_eq!(own["displayName"], "Ann");
    }

    #[test]
    fn derived_values_differ_in_case_only() {
        let mail = generator().value(FreshKind::Email);
        for (fresh, same) in
            [(Fresh::Upper("m".into()), mail.to_uppercase()), (Fresh::Lower("m".into()), mail.clone())]
        {
            assert_eq!(derived(&fresh, &mail), Some(same));
        }
        let mixed = derived(&Fresh::Mixed("m".into()), "ab.cd").unwrap();
        assert_eq!(mixed, "Ab.Cd");
    }

    #[test]
    fn marks_are_nine_small_letters_and_digits() {
        let mark = run_mark();
        assert!(mark.len() == 9 && mark.starts_with('s'), "{mark}");
        assert!(mark.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{mark}");
        assert_ne!(mark, run_mark());
    }
}
