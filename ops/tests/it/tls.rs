//! Its own port with TLS: the certificate, its mistakes, and what changes.

use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dormouse_ops::{Builder, Ops, Scope};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::client::{Answer, authority, connect, read_all, request};
use crate::tokens::{ACT, METRICS, READ, bearer, file};

pub(crate) struct Files {
    pub(crate) directory: TempDir,
    pub(crate) certificates: PathBuf,
    key: PathBuf,
    roots: RootCertStore,
}

pub(crate) fn files() -> Files {
    let directory = TempDir::new().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    Files {
        certificates: file(&directory, "cert.pem", &made.cert.pem()),
        key: file(&directory, "key.pem", &made.signing_key.serialize_pem()),
        directory,
        roots,
    }
}

pub(crate) fn builder(files: &Files) -> Builder {
    Ops::builder()
        .tls_files(&files.certificates, &files.key)
        .token_file(Scope::Metrics, file(&files.directory, "metrics", METRICS))
        .token_file(Scope::Read, file(&files.directory, "read", READ))
        .token_file(Scope::Act, file(&files.directory, "act", ACT))
}

fn send(ops: &Ops, files: &Files, line: &str, headers: &[&str], body: &str) -> Answer {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(files.roots.clone())
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let port = authority(ops).rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
    let text = request(&format!("localhost:{port}"), line, headers, body);
    stream.write_all(text.as_bytes()).unwrap();
    Answer::parse(&read_all(&mut stream))
}

#[test]
fn with_tls_and_tokens_others_may_connect() {
    let files = files();
    let ops = builder(&files).bind("0.0.0.0:0").start().unwrap();
    assert!(ops.url().starts_with("https://0.0.0.0:"), "{}", ops.url());
    let read = bearer(READ);
    assert_eq!(send(&ops, &files, "GET /api/v1/overview", &[], "").status, 401);
    assert_eq!(
        send(&ops, &files, "GET /api/v1/overview", &[&read], "").status,
        200
    );
    // a probe knows an address only; a name that was not configured may be anybody's
    assert_eq!(
        send(&ops, &files, "GET /health/live", &["Host: 10.1.2.3:7070"], "").status,
        200
    );
    assert_eq!(
        send(&ops, &files, "GET /health/live", &["Host: evil.example.com"], "").status,
        403
    );
}

#[test]
fn a_session_never_leaves_without_tls() {
    let files = files();
    let ops = builder(&files).bind("127.0.0.1:0").start().unwrap();
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let begun = send(&ops, &files, "POST /login", &form, &format!("token={READ}"));
    let set = begun.header("Set-Cookie").unwrap();
    assert!(
        set.starts_with("__Host-dormouse-") && set.contains("; Secure"),
        "{set}"
    );
}

#[test]
fn whoever_never_shakes_hands_is_cut_off() {
    let files = files();
    let ops = builder(&files).bind("127.0.0.1:0").start().unwrap();
    let began = Instant::now();
    let mut silent = connect(&authority(&ops));
    assert_eq!(read_all(&mut silent), b"");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn without_all_three_tokens_nobody_else_may() {
    let files = files();
    let without_act = Ops::builder()
        .bind("0.0.0.0:0")
        .tls_files(&files.certificates, &files.key)
        .token_file(Scope::Metrics, file(&files.directory, "metrics", METRICS))
        .token_file(Scope::Read, file(&files.directory, "read", READ));
    let error = without_act.start().unwrap_err().to_string();
    assert!(error.contains("Missing: a token for `act`"), "{error}");
}

#[test]
fn a_certificate_that_is_none_is_refused_at_the_start() {
    let files = files();
    let empty = file(&files.directory, "empty.pem", "");
    for (certificates, key) in [
        (&empty, &files.key),
        (&files.certificates, &empty),
        (&files.key, &files.key),
        (&files.directory.path().join("nowhere"), &files.key),
    ] {
        let started = Ops::builder()
            .bind("127.0.0.1:0")
            .tls_files(certificates, key)
            .start();
        let error = started.unwrap_err().to_string();
        assert!(error.starts_with("TLS with"), "{error}");
    }
    let other = crate::tls::files();
    let mixed = Ops::builder()
        .bind("127.0.0.1:0")
        .tls_files(&files.certificates, &other.key)
        .start();
    let error = mixed.unwrap_err().to_string();
    for file in [&files.certificates, &other.key] {
        let name = file.display().to_string();
        assert!(error.contains(&name), "a key of another certificate: {error}");
    }
}
