//! What can be chosen of an ops server, checked before anything listens.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::web::Data;

use crate::attached::Attached;
use crate::connection::Lifetimes;
use crate::console::Live;
use crate::error::StartError;
use crate::guard::{FAILURES_MAX, Guard, Hosts, Token, TokenSource, Tokens};
use crate::ops::Ops;
use crate::recorder;
use crate::routes::Mounted;
use crate::scope::Scope;
use crate::server::{LIFETIMES, Server};
use crate::tls::{self, TlsFiles};

/// Where it listens unless told otherwise: this machine only.
const BIND: &str = "127.0.0.1:7070";

/// What can be chosen of an ops server: made by [`Ops::builder`].
///
/// Without tokens it listens on loopback only, and whoever may run programs on this machine may do everything. With any
/// token configured every request needs one. For any other address TLS and a token for each [`Scope`] are needed:
///
/// ```no_run
/// use dormouse_ops::{Ops, Scope};
///
/// let ops = Ops::builder()
///     .bind("0.0.0.0:7070")
///     .tls_files("/run/tls/cert.pem", "/run/tls/key.pem")
///     .token_file(Scope::Metrics, "/run/secrets/metrics-token")
///     .token_file(Scope::Read, "/run/secrets/read-token")
///     .token_env(Scope::Act, "BANK_ACT_TOKEN")
///     .allow_host("ops.example.com")
///     .start()?;
/// # Ok::<(), dormouse_ops::StartError>(())
/// ```
#[derive(Debug)]
#[must_use = "it starts with `start()`"]
pub struct Builder {
    bind: String,
    base_path: String,
    tls: Option<TlsFiles>,
    tokens: Vec<(Scope, TokenSource)>,
    hosts: Vec<String>,
    backup_root: Option<PathBuf>,
    wrong_tokens_max: u32,
    lifetimes: Lifetimes,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            bind: BIND.into(),
            base_path: String::new(),
            tls: None,
            tokens: Vec::new(),
            hosts: Vec::new(),
            backup_root: None,
            wrong_tokens_max: FAILURES_MAX,
            lifetimes: LIFETIMES,
        }
    }

    /// Address and port to listen on. Default: `127.0.0.1:7070`; port 0 takes any that is free.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.bind = address.into();
        self
    }

    /// What every path begins with, such as `/ops`. Default: nothing.
    pub fn base_path(mut self, path: impl Into<String>) -> Self {
        self.base_path = path.into();
        self
    }

    /// Speaks TLS 1.3 with this certificate chain and its private key, both PEM. They are read once, at the start.
    pub fn tls_files(mut self, certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls = Some(TlsFiles {
            certificates: certificates.into(),
            key: key.into(),
        });
        self
    }

    /// A token for `scope` is in this file. It has at least 256 bits, in hexadecimal (4 bits a digit) or base64 (6 a
    /// character), as `openssl rand -hex 32` makes one; it is read once, at the start. A scope may have several.
    pub fn token_file(mut self, scope: Scope, path: impl Into<PathBuf>) -> Self {
        self.tokens.push((scope, TokenSource::File(path.into())));
        self
    }

    /// The same, from a variable of the environment.
    pub fn token_env(mut self, scope: Scope, variable: impl Into<String>) -> Self {
        self.tokens.push((scope, TokenSource::Variable(variable.into())));
        self
    }

    /// Answers requests for this host name, too, given without a port. Always answered: `localhost`, `127.0.0.1`, `[::1]`;
    /// and any literal address where others than this machine may connect.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Checkpoints that are asked for over HTTP are made below this directory, which must exist. Default: none are.
    pub fn backup_root(mut self, directory: impl Into<PathBuf>) -> Self {
        self.backup_root = Some(directory.into());
        self
    }

    /// After so many wrong tokens within a minute, an address is answered 429 for the rest of it, whatever it sends. Default:
    /// 10. Behind a proxy all callers have one address.
    pub fn wrong_tokens_max(mut self, tokens: u32) -> Self {
        self.wrong_tokens_max = tokens.max(1);
        self
    }

    /// Shorter ones, since a test has no hour.
    #[cfg(test)]
    pub(crate) fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// Listens, on a thread of its own. The first one in a process installs a recorder for `metrics`, unless there is one:
    /// start it before the store is opened, so that nothing goes uncounted.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(self) -> Result<Ops, StartError> {
        let (addresses, loopback) = self.addresses()?;
        let tokens = self.read_tokens()?;
        if !loopback {
            self.check_exposed(&tokens)?;
        }
        let tls = self.tls.as_ref().map(tls::configuration).transpose()?;
        let mounted = self.mounted_with(tokens, !loopback, self.tls.is_some())?;
        let routes = mounted.clone();
        let server = TcpListener::bind(&*addresses)
            .and_then(|listener| {
                Server::start(listener, tls, self.lifetimes, move |app| routes.configure(app))
            })
            .map_err(|reason| self.not_bound(reason))?;
        Ok(Ops::new(mounted, Some(server)))
    }

    /// Does not listen: [`Ops::mount`] adds its routes to an actix-web app of yours, below the
    /// [`base_path`](Self::base_path). Connections, TLS and time limits are that app's; tokens are needed for each scope.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn mounted(self) -> Result<Ops, StartError> {
        let tokens = self.read_tokens()?;
        let missing = missing(&tokens);
        if !missing.is_empty() {
            return Err(StartError::Unprotected {
                missing: missing.join(", "),
            });
        }
        Ok(Ops::new(self.mounted_with(tokens, true, true)?, None))
    }

    /// What the address resolves to, and whether all of it is loopback.
    fn addresses(&self) -> Result<(Vec<SocketAddr>, bool), StartError> {
        let addresses: Vec<_> = self
            .bind
            .to_socket_addrs()
            .map_err(|source| self.not_bound(source))?
            .collect();
        let loopback = addresses.iter().all(|address| address.ip().is_loopback());
        Ok((addresses, loopback))
    }

    fn not_bound(&self, reason: io::Error) -> StartError {
        StartError::Bind {
            address: self.bind.clone(),
            reason,
        }
    }

    fn read_tokens(&self) -> Result<Tokens, StartError> {
        let read = |(scope, source): &(Scope, TokenSource)| {
            Token::read(*scope, source).map_err(|reason| StartError::Token {
                scope: *scope,
                origin: source.to_string(),
                reason,
            })
        };
        let tokens = Tokens::new(self.tokens.iter().map(read).collect::<Result<_, _>>()?);
        match tokens.shared() {
            Some((first, second)) => Err(StartError::SharedToken {
                first: self.token_named(first),
                second: self.token_named(second),
            }),
            None => Ok(tokens),
        }
    }

    fn token_named(&self, number: usize) -> String {
        let (scope, source) = &self.tokens[number];
        format!("the token for the scope `{scope}` from {source}")
    }

    fn check_exposed(&self, tokens: &Tokens) -> Result<(), StartError> {
        let mut missing = missing(tokens);
        if self.tls.is_none() {
            missing.insert(0, "TLS".into());
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(StartError::Exposed {
            address: self.bind.clone(),
            missing: missing.join(", "),
        })
    }

    fn mounted_with(&self, tokens: Tokens, any_address: bool, secure: bool) -> Result<Mounted, StartError> {
        check_base_path(&self.base_path)?;
        let backup_root = self.backup_root.as_ref().map(|path| {
            path.canonicalize().map_err(|reason| StartError::BackupRoot {
                path: path.clone(),
                reason,
            })
        });
        let hosts = Hosts {
            names: self.hosts.clone(),
            any_address,
        };
        recorder::install();
        let attached = Arc::new(Attached::new(self.base_path.clone(), backup_root.transpose()?));
        Ok(Mounted {
            live: Data::new(Live::start(Arc::downgrade(&attached))),
            attached: Data::from(attached),
            guard: Arc::new(Guard::new(hosts, tokens, secure, self.wrong_tokens_max)),
            jobs: Data::default(),
        })
    }
}

fn missing(tokens: &Tokens) -> Vec<String> {
    let scopes = Scope::ALL.iter().filter(|scope| !tokens.has(**scope));
    scopes.map(|scope| format!("a token for `{scope}`")).collect()
}

fn check_base_path(path: &str) -> Result<(), StartError> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let good = path.is_empty()
        || path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(is_name));
    if good {
        Ok(())
    } else {
        Err(StartError::BasePath { path: path.into() })
    }
}
