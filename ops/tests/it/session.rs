//! What a session's end ends, and where logging in leads.

use std::io::{Read, Write};

use dormouse_ops::{Ops, Scope};
use tempfile::TempDir;

use crate::client::{Answer, authority, connect, get, request, send};
use crate::tokens::{READ, file};

fn guarded() -> (Ops, TempDir) {
    let directory = TempDir::new().unwrap();
    let token = file(&directory, "read-token", READ);
    let builder = Ops::builder().bind("127.0.0.1:0").token_file(Scope::Read, token);
    (builder.start().unwrap(), directory)
}

fn log_in(ops: &Ops, token: &str, to: &str) -> Answer {
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    send(ops, "POST /login", &form, &format!("token={token}&to={to}"))
}

fn cookie(answer: &Answer) -> String {
    let set = answer.header("Set-Cookie").unwrap();
    format!("Cookie: {}", set.split(';').next().unwrap())
}

/// A sample comes every second: so many are more than its end may take.
const SAMPLES_MAX: usize = 30;

fn until_its_end(stream: &mut impl Read) -> String {
    let (mut told, mut buffer) = (String::new(), [0; 4_096]);
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return told,
            n => told += &String::from_utf8_lossy(&buffer[..n]),
        }
        let samples = told.matches("event: sample").count();
        assert!(samples < SAMPLES_MAX, "it goes on: {samples} samples");
    }
}

#[test]
fn a_stream_ends_with_its_session() {
    let (ops, _directory) = guarded();
    let [mine, other] = [0; 2].map(|_| cookie(&log_in(&ops, READ, "")));
    let authority = authority(&ops);
    let mut streams = [&mine, &other].map(|session| {
        let mut stream = connect(&authority);
        let asked = request(&authority, "GET /live", &[session], "");
        stream.write_all(asked.as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stream
    });
    let own = format!("Origin: http://{authority}");
    assert_eq!(send(&ops, "POST /logout", &[&mine, &own], "").status, 303);
    let told = until_its_end(&mut streams[0]);
    assert!(told.contains("event: history"), "{told}");
    assert_eq!(get(&ops, "/live", &[&mine]).status, 401);
    // another one's goes on
    let mut more = [0; 4_096];
    assert!(streams[1].read(&mut more).unwrap() > 0);
    assert_eq!(get(&ops, "/api/v1/jobs", &[&other]).status, 200);
}

#[test]
fn logging_in_leads_back_to_the_page_that_was_asked_for() {
    let (ops, _directory) = guarded();
    let html = ["Accept: text/html"];
    let asked = get(&ops, "/aggregate?type=parcel&id=a%2Fb&at=3", &html);
    let form = "/login?to=%2Faggregate%3Ftype%3Dparcel%26id%3Da%252Fb%26at%3D3";
    assert_eq!((asked.status, asked.header("Location")), (303, Some(form)));
    let hidden = r#"name="to" value="/aggregate?type=parcel&amp;id=a%2Fb&amp;at=3""#;
    let page = get(&ops, form, &[]).body;
    assert!(page.contains(hidden), "{page}");

    let to = "%2Faggregate%3Ftype%3Dparcel%26id%3Da%252Fb%26at%3D3";
    let wrong = log_in(&ops, &READ.replace('2', "3"), to);
    assert!(wrong.status == 401 && wrong.body.contains(hidden), "{wrong:?}");
    let right = log_in(&ops, READ, to);
    let page = "/aggregate?type=parcel&id=a%2Fb&at=3";
    assert_eq!((right.status, right.header("Location")), (303, Some(page)));
}

#[test]
fn logging_in_leads_nowhere_else() {
    let (ops, _directory) = guarded();
    for to in [
        "https%3A%2F%2Fexample.com",
        "%2F%2Fexample.com",
        "%2F%5Cexample.com",
        "%2F%09%2Fexample.com",
        "%2Flogin",
        "%2Flive",
        "%2Fapi%2Fv1%2Fjobs",
    ] {
        let answer = log_in(&ops, READ, to);
        assert_eq!(
            (answer.status, answer.header("Location")),
            (303, Some("/")),
            "{to}"
        );
    }
}

#[test]
fn consoles_on_one_host_keep_their_sessions_apart() {
    let consoles = [guarded(), guarded()];
    // as a browser does, which tells cookies by host and name, whatever the port
    let sessions = consoles.each_ref().map(|(ops, _)| cookie(&log_in(ops, READ, "")));
    let [one, other] = sessions.each_ref().map(|session| session.split('=').next());
    assert_ne!(one, other);
    for ((ops, _), session) in consoles.iter().zip(&sessions) {
        assert_eq!(get(ops, "/api/v1/jobs", &[session]).status, 200);
    }
}

#[test]
fn a_session_is_found_among_whatever_else_is_sent() {
    let (ops, _directory) = guarded();
    let mine = cookie(&log_in(&ops, READ, ""));
    let pair = &mine["Cookie: ".len()..];
    let name = pair.split('=').next().unwrap();
    for cookies in [
        vec![format!("Cookie: other=é; {pair}")],
        vec![format!("Cookie: {name}=stale; {pair}")],
        vec![format!("Cookie: {name}=é; {pair}; {name}=")],
        vec![format!("Cookie: {name}=stale"), mine.clone()],
        vec![
            "Cookie: no pair".into(),
            "Cookie:".into(),
            format!("Cookie: a=b;{pair};"),
        ],
    ] {
        let headers: Vec<_> = cookies.iter().map(String::as_str).collect();
        assert_eq!(get(&ops, "/api/v1/jobs", &headers).status, 200, "{cookies:?}");
    }
    let own = format!("Origin: http://{}", authority(&ops));
    let stale = format!("Cookie: {name}=stale");
    assert_eq!(send(&ops, "POST /logout", &[&stale, &mine, &own], "").status, 303);
    assert_eq!(get(&ops, "/api/v1/jobs", &[&mine]).status, 401);
}
