//! Why an ops server does not start.

use std::io;
use std::path::PathBuf;

use crate::guard::TokenError;
use crate::scope::Scope;

/// Why it did not start. Nothing listens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// As it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// Others than this machine could connect, and it would not be safe.
    #[error(
        "{address} can be reached from other machines, which needs TLS and a token for each scope. Missing: {missing}"
    )]
    Exposed {
        /// As it was given.
        address: String,
        /// What is missing.
        missing: String,
    },
    /// Mounted in another server it needs tokens: who can reach that server is not known here.
    #[error("mounted in another server it needs a token for each scope. Missing: {missing}")]
    Unprotected {
        /// The scopes without a token.
        missing: String,
    },
    /// A token can't be used.
    #[error("the token for the scope `{scope}` from {origin}: {source}")]
    Token {
        /// What it would have opened.
        scope: Scope,
        /// Where it was to come from.
        origin: String,
        /// What is wrong with it.
        source: TokenError,
    },
    /// The certificate or its key can't be used.
    #[error("TLS with {}: {reason}", file.display())]
    Tls {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The base path is none.
    #[error(
        "the base path {path:?} has to begin with a slash, to end without one, and to be made of letters, digits, - and _"
    )]
    BasePath {
        /// As it was given.
        path: String,
    },
    /// The root of backups can't be used.
    #[error("the backup root {}: {source}", path.display())]
    BackupRoot {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
