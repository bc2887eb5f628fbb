//! What a server is started with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{Certificate, Server};

/// The admin key of every server here.
pub const ADMIN_KEY: &str = "admin-key-of-the-tests";
const TOKEN_SECRET: &str = "token-secret-of-the-tests";

/// A configuration, a data directory and the binary, in a folder that is removed with it.
#[derive(Debug)]
pub struct Setup {
    pub(crate) binary: PathBuf,
    folder: TempDir,
    sections: String,
    native: String,
    xmpp: String,
    wukong: String,
    certificate: Option<Certificate>,
    environment: Vec<(OsString, OsString)>,
    pub(crate) is_development: bool,
}

impl Setup {
    /// A server on free ports of loopback with an admin key, and no push provider yet.
    ///
    /// # Panics
    /// When there is no room for a folder.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            folder: TempDir::new().expect("there is room for a folder"),
            sections: String::new(),
            native: String::new(),
            xmpp: "listen = \"\"\ntls = \"\"".into(),
            wukong: String::new(),
            certificate: None,
            environment: Vec::new(),
            is_development: false,
        }
    }

    /// Without a configuration file: development mode.
    #[must_use]
    pub fn development(mut self) -> Self {
        self.is_development = true;
        let off = self.env("NIGHTJAR_XMPP__LISTEN", "").env("NIGHTJAR_XMPP__TLS", "");
        [
            "NIGHTJAR_NATIVE__LISTEN",
            "NIGHTJAR_WUKONG__TCP",
            "NIGHTJAR_WUKONG__WS",
            "NIGHTJAR_WUKONG__HTTP",
        ]
        .into_iter()
        .fold(off, |setup, name| setup.env(name, "127.0.0.1:0"))
    }

    /// Sections of the configuration besides `[server]` and `[native]`.
    #[must_use]
    pub fn with(mut self, toml: &str) -> Self {
        self.sections.push_str(toml);
        self.sections.push('\n');
        self
    }

    /// The options of `[xmpp]`; without them it is off.
    #[must_use]
    pub fn with_xmpp(mut self, options: &str) -> Self {
        options.clone_into(&mut self.xmpp);
        self
    }

    /// Options of `[wukong]` besides its listeners.
    #[must_use]
    pub fn with_wukong(mut self, toml: &str) -> Self {
        self.wukong.push_str(toml);
        self.wukong.push('\n');
        self
    }

    /// The native listener speaks TLS.
    #[must_use]
    pub fn with_tls(mut self, certificate: Certificate) -> Self {
        self.native = format!(
            "cert_file = '{}'\nkey_file = '{}'\n",
            certificate.cert_file().display(),
            certificate.key_file().display()
        );
        self.certificate = Some(certificate);
        self
    }

    /// A variable of the server's environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Panics
    /// When it ends instead; the text has its log.
    pub async fn start(self) -> Server {
        Server::start(self).await
    }

    /// The folder all files of this server lie in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's data directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// The certificate, when the native listener speaks TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The configuration as text.
    #[must_use]
    pub fn config(&self) -> String {
        format!(
            "[server]\ndata_dir = '{}'\nlisten = \"127.0.0.1:0\"\nadmin_key = \"{ADMIN_KEY}\"\n\
             token_secret = \"{TOKEN_SECRET}\"\n[native]\nlisten = \"127.0.0.1:0\"\n{}[xmpp]\n{}\n\
             [wukong]\ntcp = \"127.0.0.1:0\"\nws = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n{}{}",
            self.data_dir().display(),
            self.native,
            self.xmpp,
            self.wukong,
            self.sections
        )
    }

    /// Runs another command of the binary to its end.
    ///
    /// # Panics
    /// When the binary cannot be run.
    #[must_use]
    pub fn run<A: AsRef<std::ffi::OsStr>>(&self, arguments: &[A]) -> Output {
        self.command().args(arguments).output().expect("the binary can be run")
    }

    /// The binary with this environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.current_dir(self.folder()).envs(environment);
        command
    }
}
