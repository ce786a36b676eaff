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
    #[error("can't listen on {address}: {reason}")]
    Bind {
        /// As it was given.
        address: String,
        /// What the system said.
        reason: io::Error,
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
    #[error("the token for the scope `{scope}` from {origin}: {reason}")]
    Token {
        /// What it would have opened.
        scope: Scope,
        /// Where it was to come from.
        origin: String,
        /// What is wrong with it.
        reason: TokenError,
    },
    /// Two scopes have one and the same token, so that one of them opens more than it should. Make one for each.
    #[error("{first} and {second} are one and the same: each scope needs a token of its own")]
    SharedToken {
        /// The scope of the one, and where it came from.
        first: String,
        /// The same of the other.
        second: String,
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
    #[error("the backup root {}: {reason}", path.display())]
    BackupRoot {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::jobs::NotStarted;

    const REASON: &str = "the disk is on fire";

    fn reason() -> io::Error {
        io::Error::other(REASON)
    }

    /// An error and all of its sources, as anyhow's `{:#}` prints them.
    #[track_caller]
    fn tells_once(error: impl Error + Send + Sync + 'static) {
        let told = format!("{:#}", anyhow::Error::new(error));
        assert_eq!(told.matches(REASON).count(), 1, "{told}");
    }

    #[test]
    fn a_reason_is_told_once() {
        tells_once(StartError::Bind {
            address: "127.0.0.1:1".into(),
            reason: reason(),
        });
        tells_once(StartError::BackupRoot {
            path: "/backup".into(),
            reason: reason(),
        });
        tells_once(StartError::Token {
            scope: Scope::Read,
            origin: "the variable TOKEN".into(),
            reason: TokenError::Unreadable(reason()),
        });
        tells_once(TokenError::Unreadable(reason()));
        tells_once(NotStarted::NoThread(reason()));
    }

    #[cfg(feature = "otel")]
    #[test]
    fn so_is_that_of_traces() {
        use opentelemetry_otlp::ExporterBuildError;
        use opentelemetry_sdk::error::OTelSdkError;

        use crate::otel::TracesError;

        tells_once(TracesError::Unsent(OTelSdkError::InternalFailure(REASON.into())));
        tells_once(TracesError::Exporter(ExporterBuildError::InternalFailure(
            REASON.into(),
        )));
    }
}
