//! What is refused, and what every answer carries.

use std::io::Write;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use dormouse_ops::Ops;

use crate::client::{authority, connect, connect_from, get, open, read_all, request, send, send_raw};

#[test]
fn by_default_it_listens_on_loopback_only() {
    let text = format!("{:?}", Ops::builder());
    assert!(text.contains("127.0.0.1:7070"), "{text}");
}

#[test]
fn another_address_needs_tls_and_tokens() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let error = Ops::builder().bind(address).start().unwrap_err().to_string();
        for missing in ["TLS", "`metrics`", "`read`", "`act`"] {
            assert!(error.contains(missing), "{address}: {error}");
        }
    }
    let error = Ops::builder().mounted().unwrap_err().to_string();
    assert!(error.contains("`act`"), "{error}");
}

#[test]
fn a_name_that_was_made_to_resolve_here_gets_nothing() {
    let ops = open();
    for path in ["/", "/metrics", "/api/v1/overview", "/health/ready", "/nowhere"] {
        let answer = get(&ops, path, &["Host: evil.example.com"]);
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
        assert_eq!(answer.json()["field"], "Host");
    }
    assert_eq!(get(&ops, "/health/live", &["Host: localhost:1"]).status, 200);
    let bare = send_raw(&authority(&ops), b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(bare.status, 403);

    let named = Ops::builder().bind("127.0.0.1:0").allow_host("ops.example.com");
    let named = named.start().unwrap();
    assert_eq!(
        get(&named, "/health/live", &["Host: ops.example.com"]).status,
        200
    );
    assert_eq!(
        get(&named, "/health/live", &["Host: other.example.com"]).status,
        403
    );
}

#[test]
fn a_page_of_another_site_gets_nothing() {
    let ops = open();
    let own = format!("Origin: http://{}", authority(&ops));
    for (header, wanted) in [
        ("Origin: https://evil.example.com", 403),
        ("Origin: null", 403),
        ("Origin: https://évil.example.com", 403),
        (&*own, 200),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate", 200),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors", 403),
    ] {
        let answer = get(&ops, "/api/v1/overview", &[header]);
        assert_eq!(answer.status, wanted, "{header}");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
    }
    let answer = send(
        &ops,
        "POST /api/v1/overview",
        &["Sec-Fetch-Site: cross-site", "X-Dormouse-Action: 1"],
        "",
    );
    assert_eq!(answer.status, 403);
    // what a browser asks before it lets another site's script set a header
    let asked = [
        "Origin: https://evil.example.com",
        "Access-Control-Request-Method: POST",
    ];
    assert_eq!(send(&ops, "OPTIONS /api/v1/overview", &asked, "").status, 403);
}

#[test]
fn what_changes_something_needs_a_header_that_no_form_can_set() {
    let ops = open();
    let without = send(&ops, "POST /api/v1/overview", &[], "");
    assert_eq!(
        (without.status, without.json()["field"].as_str()),
        (403, Some("X-Dormouse-Action"))
    );
    let with = send(&ops, "POST /api/v1/overview", &["X-Dormouse-Action: 1"], "");
    assert_eq!((with.status, with.header("Allow")), (405, Some("GET, HEAD")));
}

#[test]
fn every_answer_tells_the_browser_to_trust_nothing() {
    let ops = open();
    for (path, host) in [
        ("/", None),
        ("/nowhere", None),
        ("/metrics", None),
        ("/api/v1/overview", None),
        ("/", Some("Host: evil.example.com")),
    ] {
        let answer = get(&ops, path, host.as_slice());
        let header = |name| answer.header(name).unwrap_or_default();
        assert!(
            header("Content-Security-Policy").contains("default-src 'self'"),
            "{path}"
        );
        assert!(header("Content-Security-Policy").contains("frame-ancestors 'none'"));
        assert_eq!(header("X-Content-Type-Options"), "nosniff");
        assert_eq!(header("X-Frame-Options"), "DENY");
        assert_eq!(header("Referrer-Policy"), "no-referrer");
        assert_eq!(header("Cache-Control"), "no-store");
    }
}

#[test]
fn a_large_body_is_refused_before_it_is_sent() {
    let ops = open();
    let head = ["Content-Length: 65537", "X-Dormouse-Action: 1"];
    let answer = send(&ops, "POST /api/v1/overview", &head, "");
    let json = answer.json();
    assert_eq!(
        (answer.status, &json["value_size"], &json["limit"]),
        (413, &65537.into(), &65536.into())
    );
}

#[test]
fn an_endless_body_is_cut_off() {
    let ops = open();
    let authority = authority(&ops);
    for line in ["GET /api/v1/overview", "POST /login"] {
        let head = [
            "Transfer-Encoding: chunked",
            "Content-Type: application/x-www-form-urlencoded",
        ];
        let mut stream = connect(&authority);
        stream
            .write_all(request(&authority, line, &head, "").as_bytes())
            .unwrap();
        let chunk = format!("8000\r\n{}\r\n", "a".repeat(0x8000));
        let began = Instant::now();
        // after its answer it takes what comes for two seconds, so that the answer is not lost, and throws it away
        while began.elapsed() < Duration::from_secs(10) && stream.write_all(chunk.as_bytes()).is_ok() {}
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{line}: it still takes more"
        );
        let sent = ["Transfer-Encoding: chunked"];
        let answer = send(&ops, line, &sent, "5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(answer.status, 411);
    }
    assert_eq!(get(&ops, "/health/live", &[]).status, 200);
}

#[test]
fn a_large_head_is_refused() {
    let ops = open();
    let authority = authority(&ops);
    let long = format!("X-Long: {}", "a".repeat(200 * 1024));
    let answer = send_raw(&authority, request(&authority, "GET /", &[&long], "").as_bytes());
    assert!([400, 431].contains(&answer.status), "{}", answer.status);
    let many: Vec<_> = (0..200).map(|n| format!("X-{n}: a")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let answer = send_raw(&authority, request(&authority, "GET /", &many, "").as_bytes());
    assert!([400, 431].contains(&answer.status), "{}", answer.status);
    assert_eq!(get(&ops, "/health/live", &[]).status, 200);
}

/// Sends `sent`, then a byte a second for ever: answers how long the server bore it.
fn dribble(ops: &Ops, sent: &[u8]) -> Duration {
    let mut stream = connect(&authority(ops));
    stream.write_all(sent).unwrap();
    let began = Instant::now();
    let mut slow = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..40 {
            if slow.write_all(b"a").is_err() {
                return;
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    });
    read_all(&mut stream);
    let bore = began.elapsed();
    let _ = stream.shutdown(Shutdown::Both);
    writer.join().unwrap();
    bore
}

#[test]
fn whoever_sends_a_byte_now_and_then_is_cut_off() {
    let ops = open();
    let head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    let bore = dribble(&ops, head);
    assert!(bore < Duration::from_secs(15), "{bore:?}");
    // the same on a connection that has had an answer
    let bore = dribble(
        &ops,
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nX-Slow: ",
    );
    assert!(bore < Duration::from_secs(15), "after an answer: {bore:?}");
}

#[test]
fn a_body_that_dribbles_in_is_given_up() {
    let head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n";
    let head = format!("{head}Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken=");
    let bore = dribble(&open(), head.as_bytes());
    assert!(bore < Duration::from_secs(42), "{bore:?}");
}

/// From so many addresses that none holds more than it may.
#[test]
fn hundreds_of_slow_connections_end_by_themselves() {
    let ops = open();
    let slow: Vec<_> = (1..=20)
        .cycle()
        .take(300)
        .map(|host| {
            let mut stream = connect_from([127, 0, 1, host], &authority(&ops));
            stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
            stream
        })
        .collect();
    // it waits behind them, until their time is over
    assert_eq!(get(&ops, "/health/live", &[]).status, 200);
    drop(slow);
}
