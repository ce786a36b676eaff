//! How requests that can't be answered are told so: as JSON, which names what is wrong.

use std::io::{Read, Write};

use crate::api::{act, refused, with_bank};
use crate::bank::deposit;
use crate::client::{Answer, authority, connect_from, get, open, request, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_is_wrong_is_named() {
    let (ops, _bank) = with_bank().await;
    let asked = |path: &str| get(&ops, &format!("/api/v1{path}"), &[]);
    for path in [
        "/residents?limit=0",
        "/residents?limit=1001",
        "/streams?type=account&limit=1001",
    ] {
        let answer = asked(path);
        refused(&answer, 400, Some("limit"));
        assert_eq!(answer.json()["limit"], 1000);
    }
    let long = "a".repeat(513);
    for (path, field) in [
        ("/streams", "type"),
        ("/streams?type=", "type"),
        ("/streams?type=account&type=account", "type"),
        ("/streams?type=account&tpye=account", "tpye"),
        ("/streams?type=account&limit=ten", "limit"),
        ("/streams?type=account&limit=%2B5", "limit"),
        ("/streams?type=account&limit=", "limit"),
        ("/streams/account/acc-1/events?from=%2B1", "from"),
        ("/streams/account/acc-1/events?limit=501", "limit"),
        (
            "/streams/account/acc-1/events?limit=99999999999999999999",
            "limit",
        ),
        ("/streams/account/acc-1/events?from=first", "from"),
        ("/streams/account/acc-1/state?version=first", "version"),
        ("/residents?order=coldest", "order"),
        (&format!("/streams/account/{long}/events"), "id"),
        ("/streams/account/%00/events", "id"),
    ] {
        refused(&asked(path), 400, Some(field));
    }
    let error = |path| asked(path).json()["error"].as_str().unwrap().to_owned();
    assert_eq!(error("/streams"), "missing field `type`");
    let order = error("/residents?order=coldest");
    assert!(
        order.contains("`coldest`") && order.contains("`hottest`"),
        "{order}"
    );
    let limit = error("/streams?type=account&limit=ten");
    assert!(limit.contains("`ten`"), "{limit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let (ops, bank) = with_bank().await;
    deposit(&bank, "acc-1", 10).await;
    let asked = |path: &str| get(&ops, &format!("/api/v1{path}"), &[]);
    for path in [
        "/streams?type=acount",
        "/streams?type=acount&prefix=a",
        "/streams/acount/acc-1/events",
        "/streams/acount/acc-1/state",
        "/residents?type=acount",
    ] {
        let answer = asked(path);
        refused(&answer, 404, Some("type"));
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(
            error.contains("acount") && error.contains("account"),
            "{path}: {error}"
        );
    }
    for path in ["/jobs/7", "/jobs/seven", "/jobs/-1"] {
        refused(&asked(path), 404, Some("id"));
        refused(&act(&ops, &format!("{path}/cancel")), 404, Some("id"));
    }
    refused(&asked("/nowhere"), 404, None);
}

/// A body of this type, posted there.
fn post(path: &str, headers: &[&str], body: &str) -> Answer {
    let headers = [headers, &["X-Dormouse-Action: 1"]].concat();
    send(&open(), &format!("POST {path}"), &headers, body)
}

#[test]
fn a_body_of_another_type_is_told_which_is_expected() {
    for (path, expected) in [
        ("/api/v1/checkpoint", "application/json"),
        ("/login", "application/x-www-form-urlencoded"),
    ] {
        for sent in [None, Some("text/plain")] {
            let header = sent.map(|sent| format!("Content-Type: {sent}"));
            let headers: Vec<_> = header.iter().map(String::as_str).collect();
            let answer = post(path, &headers, "name=monday");
            refused(&answer, 415, Some("Content-Type"));
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(sent.unwrap_or("does not tell")), "{error}");
        }
    }
}

#[test]
fn what_actix_would_say_in_plain_text_is_told_as_everything_else() {
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    refused(&post("/login", &form, "name=monday"), 400, Some("token"));
    let large = format!("token={}", "a".repeat(32 * 1024));
    refused(&post("/login", &form, &large), 413, Some("body"));
    let json = ["Content-Type: application/json"];
    refused(
        &post("/api/v1/checkpoint", &json, r#"{"name": 7}"#),
        400,
        Some("body"),
    );
    // a page of the console that is asked for two
    refused(&get(&open(), "/aggregate?id=a&id=b", &[]), 400, Some("id"));
}

#[test]
fn another_method_is_told_which_are_taken() {
    let ops = open();
    for (line, allowed) in [
        ("POST /api/v1/types", "GET, HEAD"),
        ("GET /api/v1/drain", "POST"),
        ("PUT /login", "GET, HEAD, POST"),
        ("GET /logout", "POST"),
    ] {
        let answer = send(&ops, line, &["X-Dormouse-Action: 1"], "");
        refused(&answer, 405, None);
        assert_eq!(answer.header("Allow"), Some(allowed), "{line}");
    }
}

#[test]
fn one_viewer_too_many_is_told_as_everything_else() {
    let ops = open();
    let authority = authority(&ops);
    let viewers: Vec<_> = (1..=64)
        .map(|host| {
            let mut viewer = connect_from([127, 0, 1, host], &authority);
            let asked = request(&authority, "GET /live", &[], "");
            viewer.write_all(asked.as_bytes()).unwrap();
            let mut first = [0; 12];
            viewer.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
            viewer
        })
        .collect();
    refused(&get(&ops, "/live", &[]), 503, None);
    drop(viewers);
}

#[test]
fn an_asset_that_is_not_there_is_told_as_everything_else() {
    let ops = open();
    refused(&get(&ops, "/assets/0/none.js", &[]), 404, None);
}
