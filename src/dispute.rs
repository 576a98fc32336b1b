//! The disputes: spots where the RFCs contradict themselves, leave something open, or are read in two ways, with what
//! either reading makes of which answer.
//!
//! The table is data (`suites/requirements/disputes.yaml`); the verdicts themselves are built into cases and rules, and a
//! test holds the two together on servers of each kind. This module refuses to judge and to run.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::outcome::Reading;
use crate::requirement::{Catalogue, Requirement};
use crate::server::{Fault, UnknownFault, UnknownVariant, Variant};
use crate::suite::diagnostic::Diagnostic;
use crate::suite::load::EMBEDDED_SUITES;
use crate::suite::yaml;

/// Where the table stands below `suites/`.
const FILE: &str = "requirements/disputes.yaml";

/// One spot in dispute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispute {
    /// Permanent: `AMB-98`. Cases, requirements and variants name it.
    pub id: String,
    /// What it is about, in a few words.
    pub title: String,
    /// What the texts say, and where they part.
    pub texts: String,
    /// What the strict reading makes of it.
    pub strict: String,
    /// What the lenient reading makes of it.
    pub lenient: String,
    /// Why no server shows it, or only one kind of server can be; none where servers of both kinds are tried.
    pub because: Option<String>,
    /// Servers that answer in one way or another, and what becomes of which case.
    #[serde(default)]
    pub rulings: Vec<Ruling>,
}

/// What one case makes of one kind of server, in both readings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruling {
    /// What the server does, in words: given for the reference server only, since variants and faults say it themselves.
    pub answer: Option<String>,
    /// The variant that answers so, if it is legal by some reading.
    pub variant: Option<String>,
    /// The fault that answers so, if it is not.
    pub fault: Option<String>,
    /// The case or rule that judges it.
    pub case: String,
    /// Cases that have to run too, so that a rule has something to look at.
    #[serde(default)]
    pub beside: Vec<String>,
    /// Its verdict in the lenient reading.
    pub lenient: RulingVerdict,
    /// Its verdict in the strict reading.
    pub strict: RulingVerdict,
}

/// What a case comes to on a server that can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RulingVerdict {
    /// Right.
    Passed,
    /// Recorded.
    Noted,
    /// Legal by some reading, and yet a trap.
    Warned,
    /// Wrong.
    Failed,
}

/// The server that a ruling is about.
#[derive(Debug, Clone, Copy)]
pub enum ServerKind {
    /// The reference server as it is.
    Reference,
    /// The reference server with a legal answer other than its own.
    Variant(Variant),
    /// The reference server with a defect.
    Fault(Fault),
}

/// Why a ruling is about no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulingError {
    /// Its variant is in no catalogue.
    #[error(transparent)]
    Variant(#[from] UnknownVariant),
    /// Its fault is in no catalogue.
    #[error(transparent)]
    Fault(#[from] UnknownFault),
    /// It names a variant and a fault.
    #[error("a ruling is about a variant or about a fault, and not about both")]
    Both,
    /// Nothing says what the reference server does, or a second thing says what another does.
    #[error("`answer` says what the reference server does; variants and faults say it themselves")]
    Answer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    disputes: Vec<Dispute>,
}

/// All disputes, in the order of their ids.
pub fn disputes() -> &'static [Dispute] {
    static DISPUTES: OnceLock<Vec<Dispute>> = OnceLock::new();
    DISPUTES.get_or_init(|| {
        let text = EMBEDDED_SUITES.get_file(FILE).and_then(|file| file.contents_utf8()).unwrap_or_default();
        // The file is part of the binary, and a test reads it: what cannot be read here was never released.
        read(&format!("suites/{FILE}"), text)
            .unwrap_or_else(|trouble| unreachable!("the embedded table of disputes is broken: {trouble:?}"))
    })
}

/// Reads a table of disputes.
///
/// # Errors
/// The first place where the text departs from the format.
pub fn read(file: &str, text: &str) -> Result<Vec<Dispute>, Box<Diagnostic>> {
    yaml::read::<Table>(file, text).map(|table| table.disputes)
}

/// The dispute of that id.
pub fn get(id: &str) -> Option<&'static Dispute> {
    disputes().iter().find(|dispute| dispute.id == id)
}

impl Dispute {
    /// The requirements that it is about, as the catalogue names them.
    pub fn requirements<'c>(&self, catalogue: &'c Catalogue) -> impl Iterator<Item = &'c Requirement> {
        catalogue.requirements().filter(|requirement| requirement.ambiguity.contains(&self.id))
    }
}

impl Ruling {
    /// The server that it is about.
    ///
    /// # Errors
    /// If it names none that there is, or more than one.
    pub fn server(&self) -> Result<ServerKind, RulingError> {
        match (&self.variant, &self.fault, &self.answer) {
            (None, None, Some(_)) => Ok(ServerKind::Reference),
            (Some(name), None, None) => Ok(ServerKind::Variant(Variant::from_name(name)?)),
            (None, Some(name), None) => Ok(ServerKind::Fault(Fault::from_name(name)?)),
            (Some(_), Some(_), _) => Err(RulingError::Both),
            _ => Err(RulingError::Answer),
        }
    }

    /// What its server does, in one sentence.
    ///
    /// # Errors
    /// As [`Ruling::server`].
    pub fn what_it_does(&self) -> Result<&str, RulingError> {
        Ok(match self.server()? {
            ServerKind::Reference => self.answer.as_deref().unwrap_or_default(),
            ServerKind::Variant(variant) => variant.entry().client_sees,
            ServerKind::Fault(fault) => fault.entry().client_sees,
        })
    }

    /// Its verdict in a reading.
    pub fn verdict(&self, reading: Reading) -> RulingVerdict {
        match reading {
            Reading::Lenient => self.lenient,
            Reading::Strict => self.strict,
        }
    }
}

impl RulingVerdict {
    /// The verdict's single word, as every report prints it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Noted => "noted",
            Self::Warned => "warned",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruling(text: &str) -> Ruling {
        let case = "case: a/b, lenient: warned, strict: failed";
        let table = format!(
            "disputes:\n  - {{id: AMB-01, title: t, texts: t, strict: s, lenient: l, rulings: [{{{text}, {case}}}]}}\n"
        );
        read("disputes.yaml", &table).unwrap().remove(0).rulings.remove(0)
    }

    #[test]
    fn a_ruling_is_about_one_server() {
        let words = |text: &str| ruling(text).what_it_does().map(str::to_owned);
        assert_eq!(words("answer: It does it."), Ok("It does it.".to_owned()));
        assert_eq!(words("variant: put-no-content"), Ok("A successful PUT is answered with 204.".to_owned()));
        assert!(words("fault: put-missing").is_ok());
        assert_eq!(words("variant: put-no-content, fault: put-missing"), Err(RulingError::Both));
        assert_eq!(words("variant: put-no-content, answer: It does it."), Err(RulingError::Answer));
        assert!(matches!(words("variant: put-no-contnt"), Err(RulingError::Variant(_))));
        assert!(matches!(words("fault: put-mising"), Err(RulingError::Fault(_))));
    }

    #[test]
    fn each_reading_has_its_verdict() {
        let ruling = ruling("fault: put-missing");
        assert_eq!(ruling.verdict(Reading::Lenient).word(), "warned");
        assert_eq!(ruling.verdict(Reading::Strict).word(), "failed");
    }

    #[test]
    fn a_dispute_knows_its_requirements() {
        let ids: Vec<&str> = get("AMB-98")
            .unwrap()
            .requirements(Catalogue::embedded())
            .map(|requirement| requirement.id.as_str())
            .collect();
        assert_eq!(ids, ["RFC7644-3.5.2.2-02", "RFC7644-3.5.2.2-04"]);
        assert_eq!(get("AMB-999"), None);
    }
}
