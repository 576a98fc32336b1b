//! The command line as types.
//!
//! This module says what can be typed and what it is for, and nothing about what it comes to: the environment,
//! `scimspec.toml` and the defaults are put under it by [`crate::config`].

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveDate;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::config::value;
use crate::coverage::State;
use crate::outcome::{Level, Reading};
use crate::target::{ClientAuth, Rate};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const TOP_HELP: &str = "\
Examples:
  scimspec run                                   a look: tests the server inside scimspec
  scimspec run http://localhost:8080/scim/v2     tests yours
  scimspec run https://scim.example.com/v2 --token-env SCIM_TOKEN --yes --junit scim.xml

Exit codes:
  0  conformant: every case that could be judged holds; or partial, where a core
     feature of the profile was not tested
  1  failures (or warnings, under --deny warnings), or not as the baseline says
  2  the command line, the configuration or a suite is wrong
  3  the target cannot be reached, or a case could not be judged
  4  nothing ran

'scimspec run --help' says everything that a run can be told.";

const RUN_HELP: &str = "\
Examples:
  scimspec run
      A look at what there is to see: tests the reference server inside scimspec.
  scimspec run http://localhost:8080/scim/v2 --profile okta
      Will Okta's provisioning work against this server?
  scimspec run $URL --token-env SCIM_TOKEN --yes --junit scim.xml --json run.json
      In a pipeline. The token is read from the variable and never printed.
  scimspec run $URL --case 'patch/*' --skip '*/bulk-*'
      Only the cases about PATCH, without those about Bulk.
  scimspec run $URL --case 'query/by-attribute[title]'
      One case alone, as each failure suggests it.
  scimspec run $URL --rate 100/min --requests 2000 --jobs 1
      Gently, against a tenant with a rate limit.

Promises:
  scimspec changes and deletes only what it created itself. It asks for consent
  (--yes) before it writes to a host other than this one, and cleans up after
  failure, panic and Ctrl-C. 'scimspec clean' deletes what a killed run left.

Configuration:
  The long name of an option can stand in scimspec.toml, with _ for -
  (token_env = \"SCIM_TOKEN\"), and in the environment, in capitals
  (SCIMSPEC_TOKEN_ENV=SCIM_TOKEN). The command line wins over the environment,
  and the environment over the file. 'scimspec schema config' describes the
  file, and what only it can say: [template.user] and [template.group] for
  attributes that the server insists on, [new] for the form of generated
  names, [second] for another principal's credentials, [limits].
  The options --oauth-… stand there under [oauth], as token_url, client_id ….

Environment:
  SCIMSPEC_TOKEN     the bearer token, where no other credentials are given
  SCIMSPEC_PASSWORD  the password for --basic
  SCIMSPEC_CLIENT_SECRET  the secret for --oauth-client-id
  SCIMSPEC_CONFIG    the configuration file, as --config
  SCIMSPEC_…         any other option, as above; lists with commas
  NO_COLOR           no colours, if it is set
  COLUMNS            the width of the output
  XDG_STATE_HOME     where the ledgers are kept, of what scimspec created

Exit codes:
  0  conformant: every case that could be judged holds; or partial, where a core
     feature of the profile was not tested
  1  failures (or warnings, under --deny warnings), or not as the baseline says
  2  the command line, the configuration or a suite is wrong
  3  the target cannot be reached, or a case could not be judged
  4  nothing ran";

const FUZZ_LIFECYCLE_HELP: &str = "\
Examples:
  scimspec fuzz lifecycle                        a look: fuzzes the server inside scimspec
  scimspec fuzz lifecycle http://localhost:8080/scim/v2 --save found
  scimspec fuzz lifecycle $URL --token-env SCIM_TOKEN --yes --rate 100/min --requests 500
  scimspec fuzz lifecycle $URL --in-flight 1     no races; the same seed makes the same requests
  scimspec run $URL --suites found --case 'fuzz-*'   replays what was found

Creates users and groups, replaces, patches, renames, deactivates and deletes them,
adds and removes members, creates them again under the same names, and writes under
conditions; first in short sequences that go through every transition, then in
sequences of chance. After each step the answer and a read are held against a model.
With --in-flight above 1, several clients also write at once, and what comes of it
has to be what some order of their requests leads to. What contradicts the model is
tried again from scratch, shrunk to the fewest steps that show it, and reported once.
Everything that was made is deleted, also after Ctrl-C.

Exit codes:
  0  nothing found
  1  a lifecycle goes wrong (or is warned of, under --deny warnings)
  2  the command line, the configuration or a saved case is wrong
  3  the target cannot be reached, or lifecycles could not be judged
  4  nothing ran";

const FUZZ_FILTER_HELP: &str = "\
Examples:
  scimspec fuzz filter                           a look: fuzzes the server inside scimspec
  scimspec fuzz filter http://localhost:8080/scim/v2 --save found
  scimspec fuzz filter $URL --token-env SCIM_TOKEN --yes --rate 100/min --requests 500
  scimspec fuzz filter $URL --seed 7             the same filters again
  scimspec run $URL --suites found --case 'fuzz-*'   replays what was found

Makes some users and groups, reads them back, and asks thousands of filters, many
of them in one request: connectives, every operator on every attribute with every
kind of literal, texts that are no filter, hostile texts, and filters of chance.
An answer counts as wrong only if no reading of the RFCs allows it. What is wrong
is shrunk to the smallest filter that shows it, judged anew on fresh resources,
and reported once, with the reason for each resource that differs. Everything
that was made is deleted, also after Ctrl-C.

Exit codes:
  0  nothing found
  1  a filter is answered wrongly (or warned of, under --deny warnings)
  2  the command line, the configuration or a saved case is wrong
  3  the target cannot be reached, stopped serving, or the run was interrupted
  4  nothing could be tried";

const FUZZ_PATCH_HELP: &str = "\
Examples:
  scimspec fuzz patch                            a look: fuzzes the server inside scimspec
  scimspec fuzz patch http://localhost:8080/scim/v2 --save found
  scimspec fuzz patch $URL --token-env SCIM_TOKEN --yes --rate 100/min --requests 500
  scimspec run $URL --suites found --case 'fuzz-*'   replays what was found

Makes a user and a group that have a value for whatever the server's schemas let a
client write, and patches them: several operations that stand on each other, every
form of operation on every attribute, mistakes that have to be refused, and PATCHes
of chance. After each PATCH the resource is read; a result counts as wrong only if
no reading of the operations leads to it. What is wrong is shown again on a fresh
resource, shrunk to one or two operations, and reported once. PATCHes of chance come
from as many clients as --in-flight says, each with resources of its own. Everything
that was made is deleted, also after Ctrl-C.

Exit codes:
  0  nothing found
  1  a PATCH is carried out or answered wrongly (or warned of, under --deny warnings)
  2  the command line, the configuration or a saved case is wrong
  3  the target cannot be reached, stopped serving, or the run was interrupted
  4  nothing could be tried";

const LIST_HELP: &str = "\
Examples:
  scimspec list --tag okta.create
  scimspec list --case 'query/*' --format json
  scimspec list --plan $URL --token-env SCIM_TOKEN --rate 100/min
  scimspec list --export my-suites      writes suites and fixtures to a folder, to start from";

const CHECK_HELP: &str = "\
Examples:
  scimspec check my-suites
  scimspec check my-suites/rate-limits.yaml

Each problem is shown with file, line, column and what to write instead.
Exit code 2 if there is one.";

const PROBE_HELP: &str = "\
Examples:
  scimspec probe http://localhost:8080/scim/v2
  scimspec probe $URL --token-env SCIM_TOKEN --format json

Only reads: GET /ServiceProviderConfig, /ResourceTypes and /Schemas.";

const SERVE_HELP: &str = "\
Examples:
  scimspec serve --port 8080 --token secret
  scimspec serve --seed-users 1000 --schemas devices.json --write-config scimspec.toml
  scimspec serve --fault patch-add-replaces
  scimspec serve --profile amplitude --write-config scimspec.toml
  scimspec serve --list-faults

The first line of output is the base URL. Everything is kept in memory, and is
gone when the server stops.";

const SCHEMA_HELP: &str = "\
Examples:
  scimspec schema suite > suite.schema.json     what editors complete suites by
  scimspec schema report                        the format of --json";

const PROFILE_NEW_HELP: &str = "\
Examples:
  scimspec profile new acme
  scimspec profile new acme --kind server
  scimspec check acme
  scimspec run http://localhost:8080/scim/v2 --profile acme/profiles/acme.yaml

Writes acme/profiles/acme.yaml and acme/acme/users.yaml, which say in comments
what else can stand there. Files that are there already are left alone.";

const SNAPSHOTS_HELP: &str = "\
'scimspec run URL --snapshots DIR' compares the payloads of a server with those
in DIR. What came and is not accepted waits there, as NAME.snap.new.

Examples:
  scimspec snapshots diff scim-payloads          what waits, and how it differs
  scimspec snapshots accept scim-payloads        all of it is right from now on
  scimspec snapshots accept scim-payloads --case 'create/*'
  scimspec snapshots reject scim-payloads        takes back what waits

Exit codes:
  0  nothing waits, or what waited was accepted or rejected
  1  'diff' found something that waits
  2  the command line, the configuration, a suite or a snapshot is wrong";

const BASELINE_HELP: &str = "\
Examples:
  scimspec run $URL --json run.json
  scimspec baseline write --from run.json --reason 'known since the first run' --until 2027-03-31
  scimspec run $URL --baseline scimspec-baseline.toml
      Known failures do not count. A new one does, also in a case that is
      listed; and so does an entry that holds again, or whose day is over.
  scimspec baseline update --from run.json
      After something was mended, or to take in what is new.

The file is for people to read and edit: an entry lists the findings of one
case with reason, issue and until. A run takes no entry without a reason.";

const CLEAN_HELP: &str = "\
Before scimspec creates a resource it notes so in a ledger on this machine, and
takes the note away when the resource is deleted. After a run that was killed,
the ledger knows what is still there. Nothing else is touched.";

const COVERAGE_HELP: &str = "\
Examples:
  scimspec coverage                              counts, aims, and what is not proven
  scimspec coverage --document RFC7644 --section 3.5.2 --proven
  scimspec coverage --level must --state missing,cited
  scimspec coverage --format json > coverage.json

A requirement is proven once a server with a defect against it has turned a
case red that cites it. 'scimspec explain ID' says more of each.";

const EXPLAIN_HELP: &str = "\
Examples:
  scimspec explain create/minimal-user           a case: why, how to mend, requests
  scimspec explain rules/list-arithmetic         a rule
  scimspec explain RFC7644-3.3-07                a requirement, and who tests it
  scimspec explain create-answers-200            a fault of the reference server
  scimspec explain okta.deactivate               a feature of a profile

An ID is whatever reports and lists print: a case (with a row or a form), a
suite, a requirement, a vendor's statement (AMP-03), a dispute of the RFCs
(AMB-61), a fault, a variant, a profile.";

/// The conformance harness for SCIM 2.0 servers
///
/// Point it at a base URL, and it tells with evidence whether the server keeps RFC 7643 and RFC 7644, and
/// whether an identity provider such as Okta will work against it.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "scimspec",
    version,
    styles = STYLES,
    max_term_width = 110,
    after_help = TOP_HELP,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command understands.
    #[command(flatten)]
    pub common: CommonArguments,
}

/// What scimspec can do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Tests a server, and says what holds and what does not
    #[command(after_long_help = RUN_HELP, after_help = "'scimspec run --help' adds examples, configuration and exit codes.")]
    Run(Box<RunArguments>),
    /// Looks for defects that no case has written down, with inputs of chance
    #[command(subcommand)]
    Fuzz(FuzzCommand),
    /// Lists the cases that a run would consider
    #[command(after_long_help = LIST_HELP)]
    List(Box<ListArguments>),
    /// Checks suite files without running them
    #[command(after_long_help = CHECK_HELP)]
    Check(CheckArguments),
    /// Shows what a server claims to support, and where it says so
    #[command(after_long_help = PROBE_HELP)]
    Probe(Box<ProbeArguments>),
    /// Starts the reference server
    #[command(after_long_help = SERVE_HELP)]
    Serve(ServeArguments),
    /// Lists the profiles, or begins one of your own
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Prints the JSON Schema of a file format
    #[command(after_long_help = SCHEMA_HELP)]
    Schema(SchemaArguments),
    /// Writes the list of known failures that a run can be held to, or brings it up to date
    #[command(after_long_help = BASELINE_HELP)]
    Baseline(BaselineArguments),
    /// Deletes what killed runs left on a server
    #[command(after_long_help = CLEAN_HELP)]
    Clean(Box<CleanArguments>),
    /// Shows, accepts or rejects payloads that are not as accepted
    #[command(after_long_help = SNAPSHOTS_HELP)]
    Snapshots(SnapshotsArguments),
    /// Shows which requirements of the RFCs are tested, by what, and why others are not
    #[command(after_long_help = COVERAGE_HELP)]
    Coverage(CoverageArguments),
    /// Explains a case, a requirement, a fault or anything else that has an id
    #[command(after_long_help = EXPLAIN_HELP)]
    Explain(ExplainArguments),
}

/// What every command understands.
#[derive(Debug, Clone, Default, Args)]
pub struct CommonArguments {
    /// When to use colours
    ///
    /// `auto` uses them on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, value_enum, value_name = "WHEN", help_heading = "Common options")]
    pub color: Option<ColorChoice>,
    /// The configuration file
    ///
    /// Without it, scimspec.toml in the current folder is read if it is there.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Common options")]
    pub config: Option<PathBuf>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `scimspec run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArguments {
    /// The server, and how to speak to it.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Which cases.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// How disputed spots of the RFCs are read
    ///
    /// `lenient` accepts every answer that a careful reader can defend, `strict` only what the letter says.
    /// Warnings stay warnings in both.
    #[arg(long, value_enum, value_name = "READING", help_heading = "Judgement")]
    pub reading: Option<Reading>,
    /// Counts warnings as failures
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Judgement")]
    pub deny: Option<Deny>,
    /// Runs only what needs no write
    #[arg(long, help_heading = "Promises")]
    pub read_only: bool,
    /// Consents to writes on a host that is not this one
    #[arg(long, short = 'y', help_heading = "Promises")]
    pub yes: bool,
    /// Allows cases that may disturb the server, or take minutes
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Promises")]
    pub allow: Vec<Allow>,
    /// How many cases run at once [default: 4]
    #[arg(long, short = 'j', value_name = "N", help_heading = "Execution", value_parser = value::jobs)]
    pub jobs: Option<u16>,
    /// The seed of generated values, to make the same run again
    #[arg(long, value_name = "N", help_heading = "Execution")]
    pub seed: Option<u64>,
    /// Writes a JUnit report
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Writes the whole report as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Reports")]
    pub json: Option<PathBuf>,
    /// Keeps every exchange in the JSON report, not only those that show something
    #[arg(long, help_heading = "Reports")]
    pub all_exchanges: bool,
    /// Compares payloads with the accepted ones in a folder, and writes there what is not accepted yet
    ///
    /// Without it, payloads are compared on the server inside scimspec and by profiles of servers only, with those that
    /// scimspec ships. 'scimspec snapshots' shows, accepts and rejects what waits in the folder.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Judgement")]
    pub snapshots: Option<PathBuf>,
    /// Fails where no payload is accepted yet, instead of a warning
    #[arg(long, help_heading = "Judgement")]
    pub snapshots_required: bool,
    /// Waits up to so long until a read agrees with the write before it, such as 5s
    ///
    /// For services that are eventually consistent. A read that contradicts a write is made again, with growing
    /// pauses, before it is judged; the report says how long it took.
    #[arg(long, value_name = "TIME", help_heading = "Judgement", value_parser = value::time)]
    pub settle: Option<Duration>,
    /// Holds the run to a list of known failures, as 'scimspec baseline write' makes it
    ///
    /// What the list knows does not fail the run. Anything else does, and so does what it lists and holds again.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Judgement")]
    pub baseline: Option<PathBuf>,
    /// Fails where a feature that is core to the profile was not tested
    #[arg(long, help_heading = "Judgement")]
    pub require_core: bool,
}

/// What `scimspec fuzz` tries.
#[derive(Debug, Clone, Subcommand)]
pub enum FuzzCommand {
    /// Filters, held to what RFC 7644 says they have to find
    #[command(after_long_help = FUZZ_FILTER_HELP, after_help = "'scimspec fuzz filter --help' adds examples and exit codes.")]
    Filter(Box<FuzzFilterArguments>),
    /// PATCH, held to what RFC 7644 says becomes of a resource
    #[command(after_long_help = FUZZ_PATCH_HELP, after_help = "'scimspec fuzz patch --help' adds examples and exit codes.")]
    Patch(Box<FuzzPatchArguments>),
    /// Users and groups from their creation to their deletion, held to a model after each step
    #[command(after_long_help = FUZZ_LIFECYCLE_HELP, after_help = "'scimspec fuzz lifecycle --help' adds examples and exit codes.")]
    Lifecycle(Box<FuzzLifecycleArguments>),
}

impl FuzzCommand {
    /// What all of them understand.
    pub fn arguments(&self) -> &FuzzArguments {
        match self {
            FuzzCommand::Filter(filter) => &filter.fuzz,
            FuzzCommand::Patch(patch) => &patch.fuzz,
            FuzzCommand::Lifecycle(lifecycle) => &lifecycle.fuzz,
        }
    }
}

/// `scimspec fuzz filter`.
#[derive(Debug, Clone, Default, Args)]
pub struct FuzzFilterArguments {
    /// What every kind of fuzzing understands.
    #[command(flatten)]
    pub fuzz: FuzzArguments,
    /// How many filters are tried at most; without it, the requests are the limit [--requests, default: 1000]
    #[arg(long, value_name = "N", help_heading = "Execution")]
    pub filters: Option<u64>,
}

/// `scimspec fuzz patch`.
#[derive(Debug, Clone, Default, Args)]
pub struct FuzzPatchArguments {
    /// What every kind of fuzzing understands.
    #[command(flatten)]
    pub fuzz: FuzzArguments,
    /// How many PATCH requests are tried at most; without it, the requests are the limit [--requests, default: 1000]
    #[arg(long, value_name = "N", help_heading = "Execution")]
    pub patches: Option<u64>,
}

/// `scimspec fuzz lifecycle`.
#[derive(Debug, Clone, Default, Args)]
pub struct FuzzLifecycleArguments {
    /// What every kind of fuzzing understands.
    #[command(flatten)]
    pub fuzz: FuzzArguments,
    /// How many lifecycles are tried at most; without it, the requests are the limit [--requests, default: 1000]
    #[arg(long, value_name = "N", help_heading = "Execution")]
    pub lifecycles: Option<u64>,
}

/// What every kind of fuzzing understands.
#[derive(Debug, Clone, Default, Args)]
pub struct FuzzArguments {
    /// The server, and how to speak to it.
    #[command(flatten)]
    pub target: TargetArguments,
    /// The profile whose limits and page size hold: rfc, okta, …, or one of yours, ./mine.yaml [default: rfc]
    #[arg(long, short = 'p', value_name = "NAME", help_heading = "Execution")]
    pub profile: Option<String>,
    /// The seed of all that is drawn, to make the same run again
    #[arg(long, value_name = "N", help_heading = "Execution")]
    pub seed: Option<u64>,
    /// How many requests are under way at once [default: 4]
    ///
    /// With 1, the same seed and the same answers make the same requests in the same order.
    #[arg(long, value_name = "N", help_heading = "Execution", value_parser = value::jobs)]
    pub in_flight: Option<u16>,
    /// Consents to writes on a host that is not this one
    #[arg(long, short = 'y', help_heading = "Promises")]
    pub yes: bool,
    /// Counts warnings as failures
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Judgement")]
    pub deny: Option<Deny>,
    /// Writes what is found as suites into a folder, and tries first what stands there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Reports")]
    pub save: Option<PathBuf>,
    /// Writes a JUnit report
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Writes the whole report as JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Reports")]
    pub json: Option<PathBuf>,
}

/// The server under test, and how to speak to it.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArguments {
    /// The base URL of the server, such as http://localhost:8080/scim/v2
    ///
    /// Without one, here or in scimspec.toml, the reference server inside scimspec is started and used.
    #[arg(value_name = "URL", value_hint = ValueHint::Url, value_parser = value::url_as_typed)]
    pub url: Option<Url>,
    /// Reads the bearer token from an environment variable
    #[arg(long, value_name = "VAR", help_heading = "Target", conflicts_with_all = ["token_file", "basic"])]
    pub token_env: Option<String>,
    /// Reads the bearer token from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Target", conflicts_with = "basic")]
    pub token_file: Option<PathBuf>,
    /// Logs in as USER; the password is read from the environment
    #[arg(long, value_name = "USER", help_heading = "Target")]
    pub basic: Option<String>,
    /// The variable that holds the password for --basic [default: SCIMSPEC_PASSWORD]
    #[arg(long, value_name = "VAR", help_heading = "Target")]
    pub password_env: Option<String>,
    /// Adds a header to every request; ${VAR} in it is read from the environment
    ///
    /// Put secrets in a variable: 'X-Api-Key: ${API_KEY}' (in single quotes, so that the shell leaves it alone).
    /// What came from a variable is shown as *** in all output.
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Target")]
    pub header: Vec<String>,
    /// The time limit of one request, such as 30s or 500ms [default: 30s]
    #[arg(long, value_name = "TIME", help_heading = "Target", value_parser = value::time)]
    pub timeout: Option<Duration>,
    /// The pace, such as 100/min or 5/s
    #[arg(long, value_name = "N/UNIT", help_heading = "Target")]
    pub rate: Option<Rate>,
    /// How many requests may be made in all; what does not fit is skipped
    #[arg(long, value_name = "N", help_heading = "Target")]
    pub requests: Option<u64>,
    /// Takes the server's certificate unseen; for test servers only
    #[arg(long, help_heading = "Target")]
    pub insecure: bool,
    /// Trusts the certificates in a file (PEM), too
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Target")]
    pub cacert: Option<PathBuf>,
    /// Sends every request through a proxy
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = "Target", value_parser = value::url_as_typed)]
    pub proxy: Option<Url>,
    /// Shows the server a client certificate (PEM)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Target")]
    pub cert: Option<PathBuf>,
    /// The certificate's private key (PEM), where it is not in the same file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Target")]
    pub key: Option<PathBuf>,
    /// A client that an authorization server issues tokens to.
    #[command(flatten)]
    pub oauth: OAuthArguments,
}

/// A client that an authorization server issues tokens to (RFC 6749 section 4.4).
#[derive(Debug, Clone, Default, Args)]
pub struct OAuthArguments {
    /// Gets bearer tokens there, by the client credentials grant of OAuth 2
    #[arg(long = "oauth-token-url", value_name = "URL", value_hint = ValueHint::Url, help_heading = "OAuth 2", value_parser = value::token_url_as_typed)]
    pub token_url: Option<Url>,
    /// The client's id
    #[arg(long = "oauth-client-id", value_name = "ID", help_heading = "OAuth 2")]
    pub client_id: Option<String>,
    /// The variable that holds the client's secret [default: SCIMSPEC_CLIENT_SECRET]
    #[arg(long = "oauth-client-secret-env", value_name = "VAR", help_heading = "OAuth 2")]
    pub client_secret_env: Option<String>,
    /// Reads the client's secret from a file
    #[arg(long = "oauth-client-secret-file", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "OAuth 2")]
    pub client_secret_file: Option<PathBuf>,
    /// The scope to ask for
    #[arg(long = "oauth-scope", value_name = "SCOPE", help_heading = "OAuth 2")]
    pub scope: Option<String>,
    /// How the client shows who it is: in the header (HTTP Basic) or in the body [default: basic]
    #[arg(
        long = "oauth-client-auth",
        value_enum,
        value_name = "HOW",
        help_heading = "OAuth 2",
        hide_possible_values = true
    )]
    pub client_auth: Option<ClientAuth>,
    /// Adds a parameter to the request for a token, such as audience=example; can be repeated
    #[arg(long = "oauth-parameter", value_name = "NAME=VALUE", help_heading = "OAuth 2", value_parser = value::parameter)]
    pub parameters: Vec<(String, String)>,
}

/// Which cases.
#[derive(Debug, Clone, Default, Args)]
pub struct SelectionArguments {
    /// What the server is tested for: rfc, okta, …, or a profile of yours, ./mine.yaml [default: rfc]
    #[arg(long, short = 'p', value_name = "NAME", help_heading = "Selection")]
    pub profile: Option<String>,
    /// Runs the cases whose id matches, such as 'patch/*'; can be repeated
    #[arg(long, short = 'c', value_name = "GLOB", help_heading = "Selection")]
    pub case: Vec<String>,
    /// Leaves out the cases whose id matches; can be repeated
    #[arg(long, value_name = "GLOB", help_heading = "Selection")]
    pub skip: Vec<String>,
    /// Runs the cases with this tag, such as okta.create; can be repeated
    #[arg(long, short = 't', value_name = "TAG", help_heading = "Selection")]
    pub tag: Vec<String>,
    /// Adds the suites of a folder; can be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Selection")]
    pub suites: Vec<PathBuf>,
    /// Runs what finds most in a hundred requests; says nothing of the whole
    #[arg(long, help_heading = "Selection", conflicts_with_all = ["case", "tag"])]
    pub quick: bool,
}

/// What `--deny` turns into failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Deny {
    /// Warnings: recommendations not kept.
    Warnings,
}

/// What `--allow` lets run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// Cases that could degrade or lock the service for others.
    Disruptive,
    /// Cases that take minutes.
    Slow,
}

/// `scimspec list`.
#[derive(Debug, Clone, Default, Args)]
pub struct ListArguments {
    /// Which cases.
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// How to print them
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Writes the suites and fixtures inside scimspec to a folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub export: Option<PathBuf>,
    /// Shows how many requests a run would need, and how long they take at a --rate
    ///
    /// Asks the server at the URL what it claims, and nothing else; without a URL, the one inside scimspec.
    #[arg(long, conflicts_with_all = ["export", "format"])]
    pub plan: bool,
    /// The server that a run would test, with --plan.
    #[command(flatten)]
    pub target: TargetArguments,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// `scimspec check`.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArguments {
    /// Suite files, or folders of them; without any, the suites inside scimspec
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
}

/// `scimspec probe`.
#[derive(Debug, Clone, Default, Args)]
pub struct ProbeArguments {
    /// The server, and how to speak to it.
    #[command(flatten)]
    pub target: TargetArguments,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
}

/// `scimspec serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArguments {
    /// Plants a named defect; can be repeated
    #[arg(long, value_name = "NAME")]
    pub fault: Vec<String>,
    /// Gives another legal answer than by itself; can be repeated
    #[arg(long, value_name = "NAME")]
    pub variant: Vec<String>,
    /// Behaves as a vendor documents its server, instead of as the RFCs say: amplitude or learnamp
    ///
    /// Such a server has faults of its own: --list-faults with --profile names them. Amplitude's has control endpoints
    /// outside of SCIM, for accepting an invitation and renewing the key; --write-config makes hooks of them.
    #[arg(long, short = 'p', value_name = "NAME")]
    pub profile: Option<String>,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
    /// Demands this bearer token [default: a random one, which is printed]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Opens a second tenant, which shares nothing with the first, to this bearer token
    #[arg(long, value_name = "TOKEN")]
    pub second_token: Option<String>,
    /// Adds resource types and extensions out of a file
    ///
    /// A JSON object with "schemas" and "resourceTypes", each as /Schemas and /ResourceTypes of a service provider
    /// list them, or print them. The core schemas stay the server's own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub schemas: Option<PathBuf>,
    /// Gives the token to a user: /Me stands for the one of this userName, once there is one
    #[arg(long, value_name = "USER_NAME")]
    pub me: Option<String>,
    /// Fills the directory with N people and their groups, always the same ones
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub seed_users: usize,
    /// Answers 429, with Retry-After, to more requests with one token than this, such as 100/min or 5/s
    #[arg(long, value_name = "N/UNIT")]
    pub rate_limit: Option<Rate>,
    /// Counts them in windows of this length, such as 10s [default: the unit of --rate-limit]
    ///
    /// The rate stays the same: 600/min in windows of 1s are 10 requests in each second. A window begins with the
    /// first request after the last one has ended.
    #[arg(long, value_name = "TIME", requires = "rate_limit", value_parser = value::time)]
    pub rate_window: Option<Duration>,
    /// Writes a scimspec.toml with which 'scimspec run' tests this server
    ///
    /// The tokens are written beside it, into files that only you can read. A file that is there is overwritten only
    /// if it was written this way.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub write_config: Option<PathBuf>,
    /// Is eventually consistent: after a write, N reads still see what was before
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub lag: usize,
    /// How requests are noted on standard error: never a header, a body, or what a filter compares with
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub log: LogFormat,
    /// Lists the defects that --fault can plant
    #[arg(long)]
    pub list_faults: bool,
    /// Lists the legal answers that --variant can choose
    #[arg(long)]
    pub list_variants: bool,
}

/// How requests are noted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people: a line each.
    #[default]
    Text,
    /// For programs: a JSON object a line, with time, method, path, query, status, duration (in microseconds), bytes.
    Json,
    /// Not at all.
    Off,
}

/// `scimspec profile`.
#[derive(Debug, Clone, Subcommand)]
pub enum ProfileCommand {
    /// Lists the profiles with what they are about
    List(ProfileListArguments),
    /// Writes a profile of your own to start from, with a first suite beside it
    #[command(after_long_help = PROFILE_NEW_HELP)]
    New(ProfileNewArguments),
}

/// `scimspec profile list`.
#[derive(Debug, Clone, Default, Args)]
pub struct ProfileListArguments {
    /// Adds the profiles of a folder; can be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub suites: Vec<PathBuf>,
}

/// `scimspec profile new`.
#[derive(Debug, Clone, Args)]
pub struct ProfileNewArguments {
    /// What it is called: small letters, digits and -
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Whether it is about a client (will it work with your server?) or a server (does it behave as documented?)
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub kind: NewKind,
    /// The folder to write [default: one of that name]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

/// What a new profile is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum NewKind {
    /// A client: will it work with a server?
    #[default]
    Client,
    /// A vendor's server: does it behave as its vendor documents?
    Server,
}

/// `scimspec schema`.
#[derive(Debug, Clone, Args)]
pub struct SchemaArguments {
    /// Which format
    #[arg(value_enum, value_name = "FORMAT")]
    pub of: SchemaOf,
}

/// The file formats that have a JSON Schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Suite files.
    Suite,
    /// Profiles.
    Profile,
    /// The report that --json writes.
    Report,
    /// scimspec.toml.
    Config,
    /// The report of 'scimspec coverage --format json'.
    Coverage,
}

/// `scimspec baseline`.
#[derive(Debug, Clone, Args)]
pub struct BaselineArguments {
    /// What to do with the list.
    #[command(subcommand)]
    pub action: BaselineAction,
}

/// What can be done with a list of known failures.
#[derive(Debug, Clone, Subcommand)]
pub enum BaselineAction {
    /// Writes a new list of all that failed in a run
    Write(BaselineWriteArguments),
    /// Brings a list up to date with a run: keeps reasons, takes out what holds, adds what is new
    Update(BaselineUpdateArguments),
}

/// `scimspec baseline write`.
#[derive(Debug, Clone, Args)]
pub struct BaselineWriteArguments {
    /// The report of the run, as 'scimspec run --json' wrote it
    #[arg(long, value_name = "RUN_JSON", value_hint = ValueHint::FilePath)]
    pub from: PathBuf,
    /// The file to write [default: scimspec-baseline.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// What new entries say.
    #[command(flatten)]
    pub reasons: ReasonArguments,
}

/// `scimspec baseline update`.
#[derive(Debug, Clone, Args)]
pub struct BaselineUpdateArguments {
    /// The report of the run, as 'scimspec run --json' wrote it
    #[arg(long, value_name = "RUN_JSON", value_hint = ValueHint::FilePath)]
    pub from: PathBuf,
    /// The file to bring up to date [default: scimspec-baseline.toml]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub baseline: Option<PathBuf>,
    /// What new entries say.
    #[command(flatten)]
    pub reasons: ReasonArguments,
}

/// What new entries of a list of known failures say.
#[derive(Debug, Clone, Default, Args)]
pub struct ReasonArguments {
    /// Why the entries without a reason are tolerated; without it, that has to be written into the file
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Where these entries are followed up
    #[arg(long, value_name = "LINK")]
    pub issue: Option<String>,
    /// The last day on which these entries are tolerated, such as 2027-03-31
    #[arg(long, value_name = "DATE", value_parser = value::date)]
    pub until: Option<NaiveDate>,
}

/// `scimspec clean`.
#[derive(Debug, Clone, Default, Args)]
pub struct CleanArguments {
    /// The server, and how to speak to it.
    #[command(flatten)]
    pub target: TargetArguments,
    /// Consents to deleting on a host that is not this one
    #[arg(long, short = 'y')]
    pub yes: bool,
}

/// `scimspec snapshots`.
#[derive(Debug, Clone, Args)]
pub struct SnapshotsArguments {
    /// What to do with what waits
    #[arg(value_enum, value_name = "ACTION")]
    pub action: SnapshotsAction,
    /// The folder of --snapshots [default: the one in scimspec.toml]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: Option<PathBuf>,
    /// Only the payloads of cases whose id matches; can be repeated
    #[arg(long, short = 'c', value_name = "GLOB")]
    pub case: Vec<String>,
    /// Adds the suites of a folder, so that their payloads count as asked for; can be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub suites: Vec<PathBuf>,
}

/// What to do with payloads that wait for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SnapshotsAction {
    /// Shows how each differs from the accepted one, and names accepted ones that no case asks for.
    Diff,
    /// Makes them the accepted ones.
    Accept,
    /// Deletes them; what was accepted stays.
    Reject,
}

/// `scimspec coverage`.
#[derive(Debug, Clone, Default, Args)]
pub struct CoverageArguments {
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: CoverageFormat,
    /// Only the requirements of this document, such as RFC7644; can be repeated
    #[arg(long, value_name = "DOCUMENT", value_delimiter = ',')]
    pub document: Vec<String>,
    /// Only the requirements of this section and those below it, such as 3.5.2; can be repeated
    #[arg(long, value_name = "SECTION", value_delimiter = ',')]
    pub section: Vec<String>,
    /// Only the requirements of this level; can be repeated
    #[arg(long, value_enum, value_name = "LEVEL", value_delimiter = ',')]
    pub level: Vec<LevelName>,
    /// Lists only the requirements in this state; can be repeated, and leaves the counts as they are
    #[arg(long, value_enum, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<State>,
    /// Lists the proven requirements, too, with the cases and faults that prove them
    #[arg(long)]
    pub proven: bool,
    /// Adds the suites of a folder; can be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub suites: Vec<PathBuf>,
}

/// How coverage is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CoverageFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// As a page.
    Markdown,
}

/// A level, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LevelName {
    /// What has to be.
    Must,
    /// What is recommended.
    Should,
    /// What is permitted.
    May,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Level {
        match name {
            LevelName::Must => Level::Must,
            LevelName::Should => Level::Should,
            LevelName::May => Level::May,
        }
    }
}

/// `scimspec explain`.
#[derive(Debug, Clone, Default, Args)]
pub struct ExplainArguments {
    /// What to explain, by its id
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Adds the suites of a folder; can be repeated
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub suites: Vec<PathBuf>,
}

impl Cli {
    /// Reads the command line of this process. Ends the process where it asks for help or the version (code 0),
    /// or cannot be understood (code 2).
    pub fn from_command_line() -> Cli {
        Cli::parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn issue_commands_parse() {
        for line in [
            "scimspec run",
            "scimspec run http://localhost/scim --token-env VAR --profile okta --case a/* --case b/* --skip c/* \
             --junit f.xml --json f.json --jobs 2 --rate 100/min --requests 9 --reading strict --deny warnings \
             --suites dir --read-only --yes --allow slow --allow disruptive --seed 7 --timeout 30s --color never",
            "scimspec list --format json --export dir --tag okta.create",
            "scimspec check dir file.yaml",
            "scimspec probe http://localhost/scim --format json",
            "scimspec serve --fault one --fault two --port 8080 --token t --list-faults",
            "scimspec serve --profile amplitude --list-faults",
            "scimspec serve --second-token u --schemas devices.json --log json --me ann --seed-users 100 \
             --rate-limit 100/min --rate-window 10s --write-config scimspec.toml",
            "scimspec schema suite",
            "scimspec schema report",
            "scimspec schema config",
            "scimspec schema profile",
            "scimspec profile list --suites dir",
            "scimspec profile new acme --kind server --dir there",
            "scimspec run --baseline b.toml --require-core",
            "scimspec baseline write --from run.json --out b.toml --reason x --issue y --until 2027-03-31",
            "scimspec baseline update --from run.json --baseline b.toml --reason x --issue y --until 2027-03-31",
            "scimspec clean",
            "scimspec run http://localhost/scim --snapshots dir --snapshots-required",
            "scimspec snapshots diff",
            "scimspec snapshots accept dir --case create/*",
            "scimspec snapshots reject dir",
            "scimspec coverage --format markdown",
            "scimspec coverage --document RFC7644,RFC7643 --section 3.5.2 --level must --level should \
             --state missing,cited,beyond-tests --proven --suites dir --format json",
            "scimspec explain create/minimal-user RFC7644-3.3-07 --suites dir",
            "scimspec schema coverage",
        ] {
            if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
                panic!("{line}\n{error}");
            }
        }
    }

    fn help(line: &str) -> String {
        let error = Cli::command().term_width(100).try_get_matches_from(line.split_whitespace()).unwrap_err();
        error.render().to_string()
    }

    #[test]
    fn help_is_worth_reading() {
        insta::assert_snapshot!("help", help("scimspec --help"));
        insta::assert_snapshot!("help_run_short", help("scimspec run -h"));
        insta::assert_snapshot!("help_run", help("scimspec run --help"));
        let others = [
            "fuzz filter",
            "fuzz lifecycle",
            "list",
            "check",
            "probe",
            "serve",
            "profile list",
            "profile new",
            "schema",
            "clean",
            "snapshots",
            "baseline",
            "baseline write",
            "baseline update",
            "coverage",
            "explain",
        ];
        insta::assert_snapshot!(
            "help_others",
            others.map(|name| help(&format!("scimspec {name} --help"))).join("\n\n")
        );
    }

    #[test]
    fn slips_are_met_with_a_hint() {
        insta::assert_snapshot!(help("scimspec run localhost:8080/scim/v2"), @r#"
        error: invalid value 'localhost:8080/scim/v2' for '[URL]': 'localhost' is not a scheme that SCIM is spoken over: http or https; did you mean http://localhost:8080/scim/v2?

        For more information, try '--help'.
        "#);
        insta::assert_snapshot!(help("scimspec run --rate fast"), @r#"
        error: invalid value 'fast' for '--rate <N/UNIT>': 'fast' is no rate; write it like 100/min, 5/s or 1000/h

        For more information, try '--help'.
        "#);
        insta::assert_snapshot!(help("scimspec run --profle okta"), @r#"
        error: unexpected argument '--profle' found

          tip: a similar argument exists: '--profile'

        Usage: scimspec run --profile <NAME> [URL]

        For more information, try '--help'.
        "#);
        insta::assert_snapshot!(help("scimspec run --reading loose"), @r#"
        error: invalid value 'loose' for '--reading <READING>'
          [possible values: lenient, strict]

        For more information, try '--help'.
        "#);
    }

    #[test]
    fn credentials_exclude_each_other() {
        for line in
            ["--token-env A --token-file b", "--token-env A --basic ann", "--token-file a --basic ann"]
        {
            let words = ["scimspec", "run"].into_iter().chain(line.split_whitespace());
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
