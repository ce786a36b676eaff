//! TLS for the ops server's own port.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;

use crate::error::StartError;

/// Two PEM files.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificates: PathBuf,
    pub(crate) key: PathBuf,
}

/// Version 1.3 only: every browser and scraper of the last years speaks it, and it has no weak choices.
pub(crate) fn configuration(files: &TlsFiles) -> Result<ServerConfig, StartError> {
    let chain = CertificateDer::pem_file_iter(&files.certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(&files.certificates, &error))?;
    if chain.is_empty() {
        return Err(failed(&files.certificates, "it holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| failed(&files.key, &error))?;
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| {
            let with_key = format!("with the key in {}: {error}", files.key.display());
            failed(&files.certificates, &with_key)
        })
}

fn failed(file: &Path, reason: &(impl ToString + ?Sized)) -> StartError {
    StartError::Tls {
        file: file.into(),
        reason: reason.to_string(),
    }
}
