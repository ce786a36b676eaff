//! Who may do what, with a token or a session.

use std::path::PathBuf;

use dormouse_ops::{Ops, Scope};
use tempfile::TempDir;

use crate::client::{Answer, authority, get, send};

pub(crate) const METRICS: &str = "1f8a0c51d9e2b7746a15f0c8e94b2d7735ad60e1f8c29b4407d6a3be158fc921";
pub(crate) const READ: &str = "2f8a0c51d9e2b7746a15f0c8e94b2d7735ad60e1f8c29b4407d6a3be158fc922";
pub(crate) const ACT: &str = "3f8a0c51d9e2b7746a15f0c8e94b2d7735ad60e1f8c29b4407d6a3be158fc923";

pub(crate) fn file(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn with_tokens() -> (Ops, TempDir) {
    let directory = TempDir::new().unwrap();
    let ops = Ops::builder()
        .bind("127.0.0.1:0")
        .token_file(Scope::Metrics, file(&directory, "metrics-token", METRICS))
        .token_file(Scope::Read, file(&directory, "read-token", &format!("{READ}\n")))
        .token_file(Scope::Act, file(&directory, "act-token", ACT))
        .start()
        .unwrap();
    (ops, directory)
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

#[test]
fn each_scope_opens_its_part_and_those_below() {
    let (ops, _directory) = with_tokens();
    for (token, wanted) in [
        (None, [401; 3]),
        (Some(METRICS), [200, 403, 403]),
        (Some(READ), [200, 200, 403]),
        (Some(ACT), [200, 200, 405]),
    ] {
        let bearer = token.map(bearer);
        let headers: Vec<_> = bearer.iter().map(String::as_str).collect();
        let acting = [&headers[..], &["X-Dormouse-Action: 1"]].concat();
        let got = [
            get(&ops, "/metrics", &headers).status,
            get(&ops, "/api/v1/overview", &headers).status,
            send(&ops, "POST /api/v1/overview", &acting, "").status,
        ];
        assert_eq!(got, wanted, "{token:?}");
    }
    assert_eq!(get(&ops, "/health/live", &[]).status, 200);
    assert_eq!(get(&ops, "/health/ready", &[]).status, 503, "it has no runtime");
    assert_eq!(get(&ops, "/nowhere", &[]).status, 401);
}

#[test]
fn the_case_of_the_scheme_does_not_matter() {
    let (ops, _directory) = with_tokens();
    for (header, status) in [
        (format!("Authorization: bearer {READ}"), 200),
        (format!("Authorization: BEARER  {READ}"), 200),
        (format!("Authorization: Bearer{READ}"), 401),
        (format!("Authorization: {READ}"), 401),
        (format!("Authorization: bearer {}", READ.to_uppercase()), 401),
    ] {
        assert_eq!(
            get(&ops, "/api/v1/overview", &[&header]).status,
            status,
            "{header}"
        );
    }
}

#[test]
fn two_scopes_need_two_tokens() {
    let directory = TempDir::new().unwrap();
    let with = |act: &str| {
        Ops::builder()
            .bind("127.0.0.1:0")
            .token_file(Scope::Metrics, file(&directory, "metrics-token", METRICS))
            .token_file(Scope::Read, file(&directory, "read-token", &format!("{READ}\n")))
            .token_file(Scope::Act, file(&directory, "act-token", act))
            // the next one, in both places while it is changed
            .token_file(Scope::Metrics, file(&directory, "metrics-token-again", METRICS))
            .start()
    };
    let error = with(READ).unwrap_err().to_string();
    for part in ["`read`", "read-token", "`act`", "act-token"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(!error.contains(READ), "it tells the token: {error}");
    assert!(with(ACT).is_ok());
}

#[test]
fn a_token_in_the_address_is_worth_nothing() {
    let (ops, _directory) = with_tokens();
    assert_eq!(
        get(&ops, &format!("/api/v1/overview?token={ACT}"), &[]).status,
        401
    );
    let basic = format!("Authorization: Basic {ACT}");
    assert_eq!(get(&ops, "/api/v1/overview", &[&basic]).status, 401);
}

#[test]
fn whoever_guesses_is_no_longer_listened_to() {
    let (ops, _directory) = with_tokens();
    let wrong = bearer(&ACT.replace('3', "4"));
    let statuses: Vec<_> = (0..12).map(|_| get(&ops, "/", &[&wrong]).status).collect();
    assert_eq!(statuses, [[401; 10].as_slice(), &[429; 2]].concat());
    let held = get(&ops, "/", &[&bearer(ACT)]);
    assert_eq!(held.status, 429);
    let seconds: u64 = held.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    let login = log_in(&ops, ACT);
    assert_eq!(login.status, 429);
}

fn log_in(ops: &Ops, token: &str) -> Answer {
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    send(ops, "POST /login", &form, &format!("token={token}"))
}

/// Name and value of the cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("Set-Cookie").unwrap();
    format!("Cookie: {}", set.split(';').next().unwrap())
}

#[test]
fn a_person_logs_in_once_and_has_a_session() {
    let (ops, _directory) = with_tokens();
    let page = get(&ops, "/", &["Accept: text/html,*/*"]);
    assert_eq!((page.status, page.header("Location")), (303, Some("/login")));
    let form = get(&ops, "/login", &[]);
    assert!(form.status == 200 && form.body.contains("type=\"password\""));

    assert_eq!(log_in(&ops, "wrong").status, 401);
    assert_eq!(log_in(&ops, METRICS).status, 403, "no use in a console");
    let begun = log_in(&ops, READ);
    assert_eq!((begun.status, begun.header("Location")), (303, Some("/")));
    let set = begun.header("Set-Cookie").unwrap();
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict"),
        "{set}"
    );
    assert!(!set.contains(READ), "{set}");

    let session = cookie(&begun);
    assert_eq!(get(&ops, "/", &[&session]).status, 200);
    assert_eq!(get(&ops, "/", &[&session[..session.len() - 1]]).status, 401);
    let acting = [&*session, "X-Dormouse-Action: 1"];
    assert_eq!(
        send(&ops, "POST /api/v1/overview", &acting, "").status,
        403,
        "it may only read"
    );

    let own = format!("Origin: http://{}", authority(&ops));
    let ended = send(&ops, "POST /logout", &[&session, &own], "");
    assert_eq!(ended.status, 303);
    assert_eq!(get(&ops, "/", &[&session]).status, 401);
}

#[test]
fn a_weak_token_is_refused_at_the_start() {
    let directory = TempDir::new().unwrap();
    let start = |text: &str| {
        let token = file(&directory, "token", text);
        Ops::builder()
            .bind("127.0.0.1:0")
            .token_file(Scope::Read, token)
            .start()
    };
    for (text, wanted) in [
        (&READ[..62], "248 bits"),
        ("hunter2 hunter2", "neither"),
        ("", "0 bits"),
    ] {
        let error = start(text).unwrap_err();
        let said = format!("{error}");
        assert!(said.contains(wanted) && said.contains("`read`"), "{said}");
        assert!(
            text.is_empty() || !said.contains(text),
            "it tells the token: {said}"
        );
    }
    assert!(start(READ).is_ok());
    let unset = Ops::builder()
        .token_env(Scope::Act, "DORMOUSE_TEST_UNSET")
        .start();
    assert!(unset.unwrap_err().to_string().contains("not set"));
}
