//! A server by others, started for one test and stopped with it.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Client;

/// How long a server may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(50);
/// How long one answer to the readiness poll may take.
const POLL_TIMEOUT: Duration = Duration::from_secs(2);
/// A port that was free a moment ago may be taken when the server binds it: that many tries.
const PORTS_TRIED: u32 = 3;

/// The token that the server accepts.
pub const TOKEN: &str = "interop-s3cr3t-token";

/// A server by others: `NAME.sh` beside this file installs and serves it.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Its name.
    pub name: &'static str,
    /// The path of its base URL.
    pub base_path: &'static str,
    /// Whether a user that was deleted is still there, only inactive, so that nobody can leave nothing behind.
    pub keeps_deleted: bool,
}

impl Product {
    const fn new(name: &'static str, base_path: &'static str) -> Product {
        Product { name, base_path, keeps_deleted: false }
    }
}

pub const SCIM2_SERVER: Product = Product::new("scim2-server", "/v2");
pub const SCIMMY: Product = Product::new("scimmy", "/scim");
pub const DJANGO_SCIM2: Product = Product::new("django-scim2", "/scim/v2");
pub const BETTER_AUTH: Product = Product::new("better-auth", "/api/auth/scim/v2");
pub const DJANGO_SCIM2_SERVER: Product =
    Product { keeps_deleted: true, ..Product::new("django-scim2-server", "/scim/v2") };

/// All of them.
pub const PRODUCTS: [Product; 5] = [SCIM2_SERVER, SCIMMY, DJANGO_SCIM2, BETTER_AUTH, DJANGO_SCIM2_SERVER];

/// A running server. Dropping it stops it, also when the test panics.
pub struct Server {
    child: Child,
    log: PathBuf,
    /// The SCIM base URL, without a trailing slash.
    pub base_url: String,
}

impl Server {
    /// Installs the server if it is not there, starts it on a free loopback port with an empty store, and waits
    /// until it answers. The log is named after what it is started for.
    pub async fn start(product: Product, purpose: &str) -> Server {
        let Product { name, base_path, .. } = product;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/interop/{name}.sh"));
        let installed = Command::new(&script)
            .arg("install")
            .stdin(Stdio::null())
            .status()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()));
        assert!(installed.success(), "{} install: {installed}", script.display());

        let logs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
        fs::create_dir_all(&logs).expect("the directory for logs can be made");
        let log = logs.join(format!("{name}-{purpose}.log"));
        let mut trouble = String::new();
        for _ in 0..PORTS_TRIED {
            let port = free_port().expect("the loopback address has a free port");
            let mut server = Server {
                child: serve(&script, port, &log).expect("the server can be started"),
                log: log.clone(),
                base_url: format!("http://127.0.0.1:{port}{base_path}"),
            };
            match server.ready().await {
                Ok(()) => return server,
                Err(why) => trouble = why,
            }
        }
        panic!("{name} did not start: {trouble}\n{}", fs::read_to_string(&log).unwrap_or_default());
    }

    /// Waits until the server answers a request with the token.
    async fn ready(&mut self) -> Result<(), String> {
        let client = Client::builder().timeout(POLL_TIMEOUT).build().expect("a plain client can be built");
        let url = format!("{}/ServiceProviderConfig", self.base_url);
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                return Err(format!("it ended with {status}"));
            }
            let answer = client.get(&url).bearer_auth(TOKEN).send().await;
            let seen = match answer {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => format!("status {}", answer.status()),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= deadline {
                return Err(format!("not ready within {READY_WITHIN:?}: {seen}"));
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// What the server has written so far: one line a request.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_else(|error| format!("(no log: {error})"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where the server is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(script: &Path, port: u16, log: &Path) -> io::Result<Child> {
    let log = File::create(log)?;
    // The script replaces itself by the server, so that the child is the server.
    Command::new(script)
        .args(["serve", &port.to_string(), TOKEN])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
