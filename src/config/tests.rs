use std::path::Path;

use clap::Parser;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::report::look::Look;

/// A folder with this `scimspec.toml`, and what a command line comes to in it.
struct Bench {
    folder: TempDir,
    variables: Vec<(&'static str, &'static str)>,
}

impl Bench {
    fn new(toml: &str) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        if !toml.is_empty() {
            std::fs::write(folder.path().join("scimspec.toml"), toml).unwrap();
        }
        Bench { folder, variables: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Bench {
        self.variables.push((name, value));
        self
    }

    fn load(&self, line: &str) -> Result<Config, ConfigError> {
        let words = std::iter::once("scimspec").chain(line.split_whitespace());
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}\n{error}"));
        Config::load(&cli, &Environment::of(self.folder.path(), self.variables.iter().copied()))
    }

    fn good(&self, line: &str) -> Config {
        self.load(line).unwrap_or_else(|error| panic!("{line}\n{}", error.render(false)))
    }

    fn error(&self, line: &str) -> String {
        match self.load(line) {
            Ok(config) => panic!("{line} was understood: {config:#?}"),
            Err(error) => error.render(false).replace(&*self.folder.path().to_string_lossy(), "FOLDER"),
        }
    }
}

fn token(config: &Config) -> Option<&str> {
    match &config.credentials {
        Credentials::Bearer(token) => Some(token.expose_secret()),
        _ => None,
    }
}

#[test]
fn nothing_said_means_the_embedded_server_and_the_defaults() {
    let config = Bench::new("").good("run");
    assert_eq!(config.url, None);
    assert_eq!((config.profile.as_str(), config.reading, config.jobs), ("rfc", Reading::Lenient, 4));
    assert!(!config.deny_warnings && !config.consent && !config.read_only);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.look, Look { width: 100, colour: false });
    assert!(config.credentials.is_none() && config.arguments.is_empty() && config.warnings.is_empty());
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_file() {
    let bench = Bench::new("profile = 'okta'\nrate = '1/s'\nseed = 1\ncase = ['a/*', 'b/*']\ntimeout = '5s'")
        .with("SCIMSPEC_RATE", "2/s")
        .with("SCIMSPEC_SEED", "2")
        .with("SCIMSPEC_DENY", "warnings");
    let config = bench.good("run --seed 3 --timeout 7s");
    assert_eq!(config.profile, "okta");
    assert_eq!(config.rate, Some("2/s".parse().unwrap()));
    assert_eq!(config.seed, 3);
    assert_eq!(config.limits.request, std::time::Duration::from_secs(7));
    assert!(config.deny_warnings);
}

#[test]
fn every_setting_of_the_environment_is_one_of_the_file() {
    let schema = settings::schema();
    let keys: Vec<String> =
        schema["properties"].as_object().unwrap().keys().map(|key| key.to_uppercase()).collect();
    let of_client = |schema: &Value| {
        let table = schema["$defs"]["OAuth"]["properties"].as_object().unwrap();
        table.keys().map(|key| format!("OAUTH_{}", key.to_uppercase())).collect::<Vec<_>>()
    };
    let keys: Vec<String> = keys.into_iter().chain(of_client(&schema)).collect();
    for name in environment::SETTINGS.iter().filter(|name| **name != "YES") {
        assert!(keys.contains(&(*name).to_owned()), "{name} is no key of scimspec.toml");
    }
    let tables = ["SECOND", "TEMPLATE", "NEW", "LIMITS", "HOOKS", "SETTINGS", "OAUTH"];
    for key in keys.iter().filter(|key| !tables.contains(&key.as_str())) {
        assert!(environment::SETTINGS.contains(&key.as_str()), "{key} cannot be set in the environment");
    }
}

#[test]
fn every_long_option_of_run_is_a_key_of_the_file() {
    use clap::CommandFactory;
    let schema = settings::schema();
    let keys = schema["properties"].as_object().unwrap();
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let mut seen = 0;
    for option in run.get_arguments().filter_map(clap::Arg::get_long) {
        let key = option.replace('-', "_");
        // --yes says consent for one run, and reads better so; the file accepts both. --quick is about one run.
        let is_in_table = key.strip_prefix("oauth_").is_some_and(|key| {
            let table = schema["$defs"]["OAuth"]["properties"].as_object().unwrap();
            table.contains_key(key) || key == "parameter"
        });
        assert!(
            keys.contains_key(&key) || is_in_table || ["yes", "help", "quick"].contains(&option),
            "--{option} is no key of scimspec.toml"
        );
        seen += 1;
    }
    assert!(seen > 20, "only {seen} options");
    assert!(Bench::new("yes = true").good("run").consent);
}

#[test]
fn tokens_come_from_a_variable_a_file_or_scimspec_token() {
    let url = "run http://localhost/scim";
    let bench = Bench::new("").with("MINE", " t0ken\n").with("SCIMSPEC_TOKEN", "fallback");
    let config = bench.good(&format!("{url} --token-env MINE"));
    assert_eq!(token(&config), Some("t0ken"));
    assert_eq!(config.credential_names, CredentialNames::Bearer { variable: "MINE".to_owned() });
    assert_eq!(config.arguments, ["http://localhost/scim", "--token-env", "MINE"]);
    assert_eq!(token(&bench.good(url)), Some("fallback"));
    assert!(!format!("{config:?}").contains("t0ken"), "a secret is not shown by Debug");

    let bench = Bench::new("url = 'http://localhost/scim'\ntoken_file = 'secret'");
    std::fs::write(bench.folder.path().join("secret"), "from-file\n").unwrap();
    assert_eq!(token(&bench.good("run")), Some("from-file"));
    // Other credentials replace those of the file, whichever kind they are.
    let bench = Bench { variables: vec![("SCIMSPEC_PASSWORD", "pw")], ..bench };
    assert!(
        matches!(&bench.good("run --basic ann").credentials, Credentials::Basic { user, .. } if user == "ann")
    );
}

#[test]
fn a_header_with_a_variable_is_a_credential() {
    let bench = Bench::new("header = ['X-Api-Key: ${KEY}', 'X-Tenant: 7']").with("KEY", "s3cret");
    let config = bench.good("run http://localhost/scim");
    let Credentials::Header { name, value } = &config.credentials else { panic!("{:?}", config.credentials) };
    assert_eq!((name.as_str(), value.expose_secret()), ("X-Api-Key", "s3cret"));
    assert_eq!(config.headers, [("X-Tenant".to_owned(), "7".to_owned())]);
    let written: Vec<&str> = config.header_names.iter().map(|header| header.value.as_str()).collect();
    assert_eq!(written, ["${KEY}", "7"]);
}

#[test]
fn without_a_url_credentials_are_not_asked_for() {
    assert!(Bench::new("token_env = 'NOT_SET'").good("run").credentials.is_none());
    assert!(Bench::new("url = 'http://x/'\ntoken_env = 'NOT_SET'").good("list").credentials.is_none());
}

#[test]
fn tables_of_the_file_are_understood() {
    let config = Bench::new(
        "[template.user]\ndisplayName = 'Ann'\nname = {formatted = 'Ann Lee'}\nhired = 2026-11-20\n\
         [new]\nuserName = '{word}@tenant.example.com'\n[limits]\nconnect = '3s'\nbody_bytes = 4096",
    )
    .good("run");
    assert_eq!(
        config.template_user,
        serde_json::json!({"displayName": "Ann", "name": {"formatted": "Ann Lee"}, "hired": "2026-11-20"})
    );
    assert_eq!(config.patterns.user_name.as_deref(), Some("{word}@tenant.example.com"));
    assert_eq!((config.limits.connect.as_secs(), config.limits.body), (3, 4096));
}

#[test]
fn paths_in_the_file_are_meant_from_its_folder() {
    let bench = Bench::new("");
    std::fs::create_dir(bench.folder.path().join("ci")).unwrap();
    std::fs::write(bench.folder.path().join("ci/scim.toml"), "suites = ['mine']\njunit = 'out/scim.xml'")
        .unwrap();
    let config = bench.good("run --config ci/scim.toml");
    assert_eq!(config.suites, [bench.folder.path().join("ci/mine")]);
    assert_eq!(config.junit, Some(bench.folder.path().join("ci/out/scim.xml")));
}

#[test]
fn slips_in_the_file_are_shown_where_they_stand() {
    insta::assert_snapshot!(Bench::new("# mine\nurl = 'http://localhost/'\ntokn_env = 'X'\n").error("run"), @r#"
    error: unknown key `tokn_env`
     --> scimspec.toml:3:1
      |
    3 | tokn_env = 'X'
      | ^^^^^^^^
      |
      = help: did you mean `token_env`?
    "#);
    insta::assert_snapshot!(Bench::new("[template]\nusr = {}\n").error("run"), @r#"
    error: unknown key `usr`
     --> scimspec.toml:2:1
      |
    2 | usr = {}
      | ^^^
      |
      = help: did you mean `user`?
    "#);
    insta::assert_snapshot!(Bench::new("reading = 'lenietn'\n").error("run"), @r#"
    error: unknown value `lenietn`
     --> scimspec.toml:1:11
      |
    1 | reading = 'lenietn'
      |           ^^^^^^^^^
      |
      = help: did you mean `lenient`?
    "#);
    insta::assert_snapshot!(Bench::new("jobs = \"4\"\n").error("run"), @r#"
    error: wrong type: string "4", expected a whole number
     --> scimspec.toml:1:8
      |
    1 | jobs = "4"
      |        ^^^
    "#);
    insta::assert_snapshot!(Bench::new("seed = 7\nrate = '100 per minute'\n").error("run"), @r#"
    error: '100 per minute' is no rate; write it like 100/min, 5/s or 1000/h
     --> scimspec.toml:2:8
      |
    2 | rate = '100 per minute'
      |        ^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(Bench::new("url = 'https://ann:s3cret@example.com/'\n").error("run"), @r#"
    error: this URL cannot be used: it holds credentials, which would be shown; use --basic USER with the password in the environment
     --> scimspec.toml:1:7
      |
    1 | url = 'https://***@example.com/'
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(Bench::new("url = 'http://localhost/\n").error("run"), @r#"
    error: invalid literal string, expected `'`
     --> scimspec.toml:1:25
      |
    1 | url = 'http://localhost/
      |                         ^
    "#);
}

#[test]
fn other_slips_say_what_to_do() {
    let url = "run http://localhost/scim";
    insta::assert_snapshot!(Bench::new("").error(&format!("{url} --token-env SCIM_TOKEN")), @r#"
    error: the environment variable SCIM_TOKEN is not set, and token_env needs it
      = help: export SCIM_TOKEN=… before the run; its value appears in no output
    "#);
    insta::assert_snapshot!(Bench::new("").with("T", " ").error(&format!("{url} --token-env T")), @r#"
    error: the environment variable T is empty, and token_env needs it
      = help: export T=… before the run; its value appears in no output
    "#);
    insta::assert_snapshot!(Bench::new("").error(&format!("{url} --basic ann")), @r#"
    error: the environment variable SCIMSPEC_PASSWORD is not set, and basic needs it
      = help: export SCIMSPEC_PASSWORD=… before the run; its value appears in no output
    "#);
    insta::assert_snapshot!(Bench::new("").error(&format!("{url} --token-file /nowhere/token")), @r#"
    error: cannot read the token file /nowhere/token: No such file or directory (os error 2)
    "#);
    insta::assert_snapshot!(Bench::new("").error("run https://ann:s3cret@example.com/scim"), @r#"
    error: the URL holds credentials, which would be shown in reports and in the list of processes
      = help: use --basic USER, with the password in SCIMSPEC_PASSWORD
    "#);
    insta::assert_snapshot!(Bench::new("").error("run --config other.toml"), @r#"
    error: cannot read the configuration FOLDER/other.toml: No such file or directory (os error 2)
    "#);
    insta::assert_snapshot!(Bench::new("").with("SCIMSPEC_RATE", "fast").error("run"), @r#"
    error: SCIMSPEC_RATE in the environment cannot be used: 'fast' is no rate; write it like 100/min, 5/s or 1000/h
    "#);
    insta::assert_snapshot!(Bench::new("").with("SCIMSPEC_READING", "loose").error("run"), @r#"
    error: SCIMSPEC_READING in the environment cannot be used: it is none of lenient, strict
    "#);
    insta::assert_snapshot!(Bench::new("header = ['X-Api-Key: s3cret']").error(url), @r#"
    error: the value of the header X-Api-Key would be shown in reports and in the list of processes
      = help: put it in a variable, and write 'NAME: ${VAR}': --header 'X-Api-Key: ${MY_SECRET}'
    "#);
    let bench = Bench::new("header = ['Authorization: ${A}']\ntoken_env = 'A'").with("A", "a");
    insta::assert_snapshot!(bench.error(url), @r#"
    error: token_env and the header Authorization with a variable are both given, and scimspec sends one kind of credentials
      = help: leave one of them out
    "#);
    insta::assert_snapshot!(Bench::new("[new]\nuserName = 'ann@example.com'").error("run"), @r#"
    error: new.userName = "ann@example.com" has no {word} in it, so that all values would be the same
      = help: write it like "{word}@tenant.example.com"
    "#);
    insta::assert_snapshot!(Bench::new("").error("run --case {a"), @r#"
    error: '{a' is no pattern: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
    "#);
}

#[test]
fn a_variable_that_nothing_reads_is_pointed_out() {
    let config = Bench::new("")
        .with("SCIMSPEC_TOKN_ENV", "X")
        .with("SCIMSPEC_MY", "t")
        .good("run http://x/ --token-env SCIMSPEC_MY");
    assert_eq!(
        config.warnings,
        ["SCIMSPEC_TOKN_ENV in the environment is no setting of scimspec; did you mean SCIMSPEC_TOKEN_ENV?"]
    );
}

#[test]
fn colours_and_width_follow_the_terminal() {
    let cli = |line: &str| Cli::try_parse_from(line.split_whitespace()).unwrap();
    let mut terminal = Environment::of("/", [("COLUMNS", "72")]);
    terminal.terminal = true;
    terminal.columns = Some(132);
    assert_eq!(Config::look(&cli("scimspec check"), &terminal), Look { width: 72, colour: true });
    assert!(!Config::look(&cli("scimspec check --color never"), &terminal).colour);
    let mut quiet = Environment::of("/", [("NO_COLOR", "1")]);
    quiet.terminal = true;
    quiet.columns = Some(132);
    assert_eq!(Config::look(&cli("scimspec check"), &quiet), Look { width: 132, colour: false });
    assert!(Config::look(&cli("scimspec check --color always"), &quiet).colour);
}

#[test]
fn ledgers_lie_in_the_state_folder() {
    let state = |bench: Bench| bench.good("run http://x/").state;
    assert_eq!(
        state(Bench::new("").with("XDG_STATE_HOME", "/s").with("HOME", "/h")),
        Path::new("/s/scimspec")
    );
    assert_eq!(
        state(Bench::new("").with("XDG_STATE_HOME", "s").with("HOME", "/h")),
        Path::new("/h/.local/state/scimspec")
    );
    let config = Bench::new("").with("HOME", "/h").good("run http://x/");
    let options = config.target_options("http://x/".parse().unwrap(), "mark");
    assert!(matches!(options.ledger, LedgerLocation::Directory(_)));
    let embedded = Bench::new("").good("run").target_options("http://127.0.0.1:1/".parse().unwrap(), "mark");
    assert!(matches!(embedded.ledger, LedgerLocation::Memory));
}

#[test]
fn arguments_repeat_what_was_typed_and_no_more() {
    let config = Bench::new("profile = 'okta'").good(
        "run http://localhost/scim/ --case a/* --skip b --tag t --junit x.xml --json x.json --jobs 2 --seed 3 \
         --reading strict --deny warnings --rate 5/s --timeout 1s --yes --allow slow --suites mine --header X-T:7",
    );
    assert_eq!(
        config.arguments.join(" "),
        "http://localhost/scim --timeout 1000ms --rate 5/s --reading strict --deny warnings --header X-T:7 --suites mine \
         --allow slow --yes"
    );
}

#[test]
fn the_schema_of_the_file_is_committed() {
    crate::committed::hold_schema("config", &format!("{:#}\n", settings::schema()));
}

#[test]
fn the_schema_of_the_file_refuses_what_the_reader_refuses() {
    let schema = settings::schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let both = |toml: &str| {
        let value = settings::to_json(&toml::Value::Table(toml.parse().unwrap()));
        (validator.is_valid(&value), file::parse(toml, "x").is_ok())
    };
    for good in [
        "",
        "seed = 7",
        "rate = '5/s'",
        "[template.user]\na = 1",
        "[new]\nuserName = '{word}'",
        "allow = ['slow']",
    ] {
        assert_eq!(both(good), (true, true), "{good}");
    }
    for bad in [
        "sed = 7",
        "rate = 'x'",
        "[template]\nusr = {}",
        "[new]\nuser_name = ''",
        "allow = ['x']",
        "timeout = 5",
        "jobs = 0",
        "[limits]\nconnect = '3'",
        "[second]\ntoken = 'x'",
    ] {
        assert_eq!(both(bad), (false, false), "{bad}");
    }
}

/// A client at an authorization server, as a file tells of it.
const CLIENT: &str = "[oauth]\ntoken_url = 'https://id.example.com/token'\nclient_id = 'scim'\nclient_secret_env = 'S'\n\
    scope = 'scim'\nclient_auth = 'body'\n[oauth.parameters]\naudience = 'https://api.example.com'\n";

fn grant(config: &Config) -> &crate::target::ClientCredentials {
    match &config.credentials {
        Credentials::OAuth(grant) => grant,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_comes_from_flags_environment_and_file_together() {
    let url = "run http://localhost/scim";
    let bench = Bench::new(CLIENT).with("S", "client-s3cret").with("SCIMSPEC_OAUTH_SCOPE", "scim.read");
    let config = bench.good(&format!("{url} --oauth-client-id other"));
    let client = grant(&config);
    assert_eq!(client.token_url.as_str(), "https://id.example.com/token");
    assert_eq!((client.client_id.as_str(), client.scope.as_deref()), ("other", Some("scim.read")));
    assert_eq!(client.client_secret.expose_secret(), "client-s3cret");
    assert_eq!(client.client_auth, crate::target::ClientAuth::Body);
    assert_eq!(client.parameters, [("audience".to_owned(), "https://api.example.com".to_owned())]);
    assert_eq!(
        config.credential_names.to_string(),
        "OAuth 2 client other at https://id.example.com/token, secret from S"
    );
    assert!(!format!("{config:?}").contains("client-s3cret"), "a secret is not shown by Debug");
    // Another kind of credentials replaces the whole client.
    let config = bench.good(&format!("{url} --token-env S"));
    assert_eq!(token(&config), Some("client-s3cret"));
}

#[test]
fn a_client_needs_no_file() {
    let bench = Bench::new("").with("SCIMSPEC_CLIENT_SECRET", "from-variable");
    let line = "run http://localhost/scim --oauth-token-url http://127.0.0.1:9/token --oauth-client-id scim \
                --oauth-parameter audience=a=b --oauth-parameter resource=c";
    let config = bench.good(line);
    let client = grant(&config);
    assert_eq!(client.client_secret.expose_secret(), "from-variable");
    assert_eq!(client.parameters, [("audience".into(), "a=b".into()), ("resource".into(), "c".into())]);
    assert_eq!(
        format!("run {}", config.arguments.join(" ")),
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    );
    std::fs::write(bench.folder.path().join("secret"), "from-file\n").unwrap();
    let secret = bench.folder.path().join("secret");
    let config = bench.good(&format!("{line} --oauth-client-secret-file {}", secret.display()));
    assert_eq!(grant(&config).client_secret.expose_secret(), "from-file");
}

#[test]
fn slips_with_clients_say_what_to_do() {
    let url = "run http://localhost/scim";
    insta::assert_snapshot!(Bench::new("[oauth]\nscope = 'x'").error(url), @r"
    error: oauth says nothing of token_url, without which there is no token to get
      = help: give --oauth-token-url, or token_url under [oauth] in scimspec.toml
    ");
    insta::assert_snapshot!(Bench::new("[second.oauth]\ntoken_url = 'https://x/'").error(url), @r"
    error: second.oauth says nothing of client_id, without which there is no token to get
      = help: give client_id under [second.oauth] in scimspec.toml
    ");
    insta::assert_snapshot!(Bench::new(CLIENT).error(url), @r"
    error: the environment variable S is not set, and oauth.client_secret_env needs it
      = help: export S=… before the run; its value appears in no output
    ");
    let open = CLIENT.replace("https://id", "http://id");
    insta::assert_snapshot!(Bench::new(&open).with("S", "s3cret").error(url), @r"
    error: the token endpoint at id.example.com would be sent the client's secret, and send tokens, without encryption
      = help: use https://; --insecure consents, for a test server with secrets of its own
    ");
    assert!(!Bench::new(&open).with("S", "s3cret").good(&format!("{url} --insecure")).warnings.is_empty());
    insta::assert_snapshot!(Bench::new(CLIENT).with("S", "x").error(&format!("{url} --header Authorization:${{S}}")), @r"
    error: oauth and the header Authorization with a variable are both given, and scimspec sends one kind of credentials
      = help: leave one of them out
    ");
    let both = format!("token_env = 'S'\n{CLIENT}");
    insta::assert_snapshot!(Bench::new(&both).with("S", "s3cret").error(url), @r"
    error: token_env and oauth are both given, and scimspec sends one kind of credentials
      = help: leave one of them out
    ");
    insta::assert_snapshot!(Bench::new("[oauth]\ntoken_url = 'https://a:pw@x/'").error(url), @r"
    error: this URL cannot be used: it holds credentials, which would be shown; they go into client_id and a variable
     --> scimspec.toml:2:13
      |
    2 | token_url = 'https://***@x/'
      |             ^^^^^^^^^^^^^^^^
    ");
    let typed = Bench::new("").error(&format!("{url} --oauth-token-url https://a:pw@x/ --oauth-client-id i"));
    assert!(typed.contains("holds credentials") && !typed.contains("pw"), "{typed}");
    let client_auth = Bench::new("").with("SCIMSPEC_OAUTH_CLIENT_AUTH", "jwt").error(url);
    assert!(client_auth.contains("none of basic, body"), "{client_auth}");
}

#[test]
fn a_key_for_a_gateway_stands_beside_a_token() {
    let bench = Bench::new("token_env = 'T'\nheader = ['X-Api-Key: ${KEY}', 'X-Tenant: 7']")
        .with("T", "t0ken")
        .with("KEY", "k3y");
    let config = bench.good("run http://localhost/scim");
    assert_eq!(token(&config), Some("t0ken"));
    assert_eq!(config.keys.len(), 1);
    assert_eq!((config.keys[0].0.as_str(), config.keys[0].1.expose_secret()), ("X-Api-Key", "k3y"));
    assert_eq!(config.headers, [("X-Tenant".to_owned(), "7".to_owned())]);
    assert!(!format!("{config:?}").contains("k3y"));
    // Of several secret headers, Authorization says who asks, or else the first.
    let bench =
        Bench::new("header = ['X-Api-Key: ${KEY}', 'Authorization: ${T}']").with("T", "a").with("KEY", "k");
    let config = bench.good("run http://localhost/scim");
    assert!(matches!(&config.credentials, Credentials::Header { name, .. } if name == "Authorization"));
    assert_eq!(config.keys[0].0, "X-Api-Key");
    let bench =
        Bench::new("header = ['client_id: ${T}', 'client_secret: ${KEY}']").with("T", "a").with("KEY", "k");
    let config = bench.good("run http://localhost/scim");
    assert!(matches!(&config.credentials, Credentials::Header { name, .. } if name == "client_id"));
    assert_eq!(config.credential_names.to_string(), "header client_id, from T");
}

#[test]
fn the_second_tenant_takes_every_form() {
    let second = |toml: &str| {
        let bench = Bench::new(toml).with("T", "t0ken").with("SCIMSPEC_PASSWORD", "pw");
        let config = bench.good("run http://localhost/scim");
        let names = config.access_names.second.clone().expect("a second tenant");
        (config.second.expect("a second tenant"), names.credentials.to_string())
    };
    let (credentials, names) = second("[second]\ntoken_env = 'T'");
    assert!(matches!(credentials, Credentials::Bearer(_)));
    assert_eq!(names, "bearer token from T");
    let (credentials, names) = second("[second]\nbasic = 'ann'\npassword_env = 'T'");
    assert!(
        matches!(&credentials, Credentials::Basic { user, password } if user == "ann" && password.expose_secret() == "t0ken")
    );
    assert_eq!(names, "user ann, password from T");
    let (credentials, names) = second("[second]\nheader = 'Authorization: Bearer ${T}'");
    assert!(
        matches!(&credentials, Credentials::Header { value, .. } if value.expose_secret() == "Bearer t0ken")
    );
    assert_eq!(names, "header Authorization, from T");
    let client = CLIENT.replace("[oauth", "[second.oauth").replace("'S'", "'T'");
    assert!(matches!(second(&client).0, Credentials::OAuth(_)));

    let bench = Bench::new("[second]\nheader = 'X-Key: open'");
    assert!(bench.error("run http://localhost/scim").contains("X-Key would be shown"));
    let bench =
        Bench::new("[second]\ntoken_env = 'T'\nbasic = 'ann'").with("T", "x").with("SCIMSPEC_PASSWORD", "pw");
    let error = bench.error("run http://localhost/scim");
    assert!(error.contains("second.token_env and second.basic are both given"), "{error}");
}

#[test]
fn client_certificates_are_read_before_anything_is_sent() {
    let (own, other) = (
        rcgen::generate_simple_self_signed(vec![]).unwrap(),
        rcgen::generate_simple_self_signed(vec![]).unwrap(),
    );
    let bench = Bench::new("");
    for (name, text) in [
        ("cert.pem", own.cert.pem()),
        ("key.pem", own.signing_key.serialize_pem()),
        ("both.pem", own.cert.pem() + &own.signing_key.serialize_pem()),
        ("other.pem", other.signing_key.serialize_pem()),
        ("encrypted.pem", own.signing_key.serialize_pem().replace("PRIVATE", "ENCRYPTED PRIVATE")),
        ("scimspec.toml", "cert = 'cert.pem'\nkey = 'key.pem'\n[second]\ncert = 'both.pem'".to_owned()),
    ] {
        std::fs::write(bench.folder.path().join(name), text).unwrap();
    }
    let config = bench.good("run https://localhost/scim");
    assert!(config.certificate.is_some() && config.second_certificate.is_some());
    assert!(matches!(config.second, Some(Credentials::None)));
    assert!(!format!("{config:?}").contains("PRIVATE KEY"));
    let files = config.access_names.certificate.unwrap();
    assert!(files.cert.ends_with("/cert.pem") && files.key.unwrap().ends_with("/key.pem"));

    let folder = bench.folder.path().display().to_string();
    let line =
        |more: &str| bench.error(&format!("run https://localhost/scim {}", more.replace('@', &folder)));
    // A certificate on the command line goes without the key of the file.
    insta::assert_snapshot!(line("--cert @/cert.pem"), @r"
    error: the client certificate cannot be used: FOLDER/cert.pem: it holds no private key in PEM (-----BEGIN PRIVATE KEY-----)
      = help: give the private key in PEM with --key, or in the same file as the certificate; from a PKCS #12 file: openssl pkcs12 -in client.p12 -nocerts -noenc -out key.pem
    ");
    insta::assert_snapshot!(line("--cert @/cert.pem --key @/other.pem"), @r"
    error: the client certificate cannot be used: FOLDER/other.pem: its private key is not that of the certificate
      = help: compare 'openssl x509 -in cert.pem -noout -pubkey' with 'openssl pkey -in key.pem -pubout'
    ");
    insta::assert_snapshot!(line("--key @/encrypted.pem"), @r"
    error: the client certificate cannot be used: FOLDER/encrypted.pem: its private key is encrypted, and scimspec asks for no passphrase
      = help: write it without a passphrase, where only you can read it: openssl pkey -in key.pem -out plain.pem
    ");
    insta::assert_snapshot!(line("--cert @/missing.pem"), @r"
    error: cannot read the client certificate FOLDER/missing.pem: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(line("--cert @/key.pem"), @r"
    error: the client certificate cannot be used: FOLDER/key.pem: it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)
      = help: give the client's certificate in PEM with --cert; from a PKCS #12 file: openssl pkcs12 -in client.p12 -nokeys -out cert.pem
    ");
    let alone = Bench::new("[second]\nkey = 'k'").error("run http://localhost/scim");
    assert!(alone.contains("second.key is given without second.cert"), "{alone}");
}

#[test]
fn unchecked_certificates_are_warned_of() {
    let config = Bench::new("").good("run https://scim.example.com/v2 --insecure");
    assert!(config.warnings[0].contains("not checked") && config.warnings[0].contains("scim.example.com"));
    assert!(config.access_names.insecure);
    assert!(Bench::new("").good("list").warnings.is_empty());
}
