//! What can be fuzzed, what it is called, and what each fuzzer is given and gives. Another one is a variant here, a
//! module beside [`filter`], and a subcommand.

use super::progress::Progress;
use super::saved::SavedSuite;
use super::{Options, filter, lifecycle, patch};
use crate::outcome::Outcome;
use crate::report::model::FuzzRecord;
use crate::requirement::Catalogue;
use crate::run::Templates;
use crate::scim::schema::ResourceType;
use crate::suite::fresh::Generator;
use crate::target::probe::Probe;
use crate::target::{BulkUse, Target};

/// What is fuzzed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Filters (RFC 7644 §3.4.2.2).
    Filter,
    /// PATCH (RFC 7644 §3.5.2).
    Patch,
    /// Users and groups from their creation to their deletion (RFC 7644 §3.3 to §3.6).
    Lifecycle,
}

/// What every fuzzer is given, with what earlier runs have saved as `S`: as suites, or as the fuzzer reads them.
pub struct Setting<'a, S = SavedSuite> {
    /// The client.
    pub target: &'a Target,
    /// What the service provider says of itself.
    pub probe: &'a Probe,
    /// The maker of fresh values.
    pub generator: &'a Generator,
    /// What the operator puts under every resource.
    pub templates: &'a Templates,
    /// The requirements that findings cite.
    pub catalogue: &'a Catalogue,
    /// What is wanted.
    pub options: Options,
    /// What earlier runs about the same subject have saved, which is tried first.
    pub saved: &'a [S],
    /// Who is told how far it is.
    pub progress: &'a dyn Progress,
}

impl<'a, S> Setting<'a, S> {
    /// The same, with what was saved in another form.
    pub fn with<'b, T>(&self, saved: &'b [T]) -> Setting<'b, T>
    where
        'a: 'b,
    {
        Setting {
            target: self.target,
            probe: self.probe,
            generator: self.generator,
            templates: self.templates,
            catalogue: self.catalogue,
            options: self.options.clone(),
            saved,
            progress: self.progress,
        }
    }

    /// The two resource types that are fuzzed: users and groups, or others where one of these is missing. Bulk is used
    /// from now on where the service provider has it.
    pub fn kinds(&self) -> impl Iterator<Item = &'a ResourceType> + use<'a, S> {
        if let Some(bulk) = BulkUse::of(&self.probe.capabilities) {
            self.target.may_use_bulk(bulk);
        }
        let mut kinds: Vec<_> = self.probe.schemas.resource_types.iter().collect();
        kinds.sort_by_key(|kind| match kind.name.as_str() {
            "User" => 0,
            "Group" => 1,
            _ => 2,
        });
        kinds.into_iter().take(2)
    }
}

/// What a fuzzer gives.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// What held and what did not, in the order of the properties.
    pub outcomes: Vec<Outcome>,
    /// What was tried; the command and the files saved are not known here.
    pub record: FuzzRecord,
    /// A suite for each cause that one can say.
    pub suites: Vec<FoundSuite>,
}

/// A counterexample as a suite that `scimspec run` replays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSuite {
    /// The name of its cause.
    pub name: String,
    /// The YAML.
    pub text: String,
}

impl Subject {
    /// Its name in commands, in ids of outcomes and in the names of files.
    pub const fn name(self) -> &'static str {
        match self {
            Subject::Filter => "filter",
            Subject::Patch => "patch",
            Subject::Lifecycle => "lifecycle",
        }
    }

    /// What one thing that is tried is called.
    pub const fn noun(self) -> &'static str {
        match self {
            Subject::Filter => "filter",
            Subject::Patch => "PATCH request",
            Subject::Lifecycle => "lifecycle",
        }
    }

    /// The option that says how many are tried.
    pub const fn option(self) -> &'static str {
        match self {
            Subject::Filter => "--filters",
            Subject::Patch => "--patches",
            Subject::Lifecycle => "--lifecycles",
        }
    }

    /// What is held against the service provider, taken as a whole.
    pub const fn title(self) -> &'static str {
        match self {
            Subject::Filter => "filters find exactly what they have to",
            Subject::Patch => "a PATCH changes exactly what it has to",
            Subject::Lifecycle => "lifecycles lead where the RFCs have them lead",
        }
    }

    /// Fuzzes until everything was tried, the budget is spent or the run is interrupted. What was made stays for the
    /// target's clean-up.
    pub async fn fuzz(self, setting: &Setting<'_>) -> Found {
        match self {
            Subject::Filter => filter::fuzz(setting).await,
            Subject::Patch => patch::fuzz(setting).await,
            Subject::Lifecycle => lifecycle::fuzz(setting).await,
        }
    }
}
