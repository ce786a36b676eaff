//! Clients that do not read what they asked for, or ask for more than they may.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use socket2::{Domain, Socket, Type};

use super::{Lifetimes, OF_ADDRESS_MAX};
use crate::Ops;
use crate::guard::ANSWER_TIME;
use crate::server::{CONNECTIONS_MAX, Server};

/// More than the sockets of both ends take on loopback, which is some MiB.
const LARGE_BYTES: usize = 64 * 1024 * 1024;
const HOUR: Duration = Duration::from_secs(60 * 60);
/// For what must happen, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn serve(lifetimes: Lifetimes) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let started = Server::start(listener, None, lifetimes, |app| {
        let large = || async { HttpResponse::Ok().body(vec![b'a'; LARGE_BYTES]) };
        let small = || async { HttpResponse::Ok().body("small") };
        app.route("/large", web::get().to(large))
            .route("/small", web::get().to(small));
    });
    started.unwrap()
}

/// Asks, and reads the beginning of the answer.
fn ask(url: &str, path: &str) -> TcpStream {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut status = [0; "HTTP/1.1 200 OK".len()];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200 OK");
    stream
}

#[test]
fn an_answer_that_is_not_read_is_given_up_and_others_are_served_meanwhile() {
    let server = serve(Lifetimes {
        answer: Duration::from_millis(500),
        events: HOUR,
    });
    let asleep = ask(&server.origin(), "/large");
    let mut slow = ask(&server.origin(), "/large");
    let began = Instant::now();
    let (mut ended, mut byte) = (Vec::new(), [0]);
    while ended.len() < 2 {
        assert!(began.elapsed() < PATIENCE, "only ended: {ended:?}");
        let mut answer = String::new();
        ask(&server.origin(), "/small")
            .read_to_string(&mut answer)
            .unwrap();
        assert!(answer.ends_with("small"), "{answer}");
        // what has come already can be read after the end, too
        slow.read_exact(&mut byte).unwrap();
        ended.extend(asleep.take_error().unwrap());
        ended.extend(slow.take_error().unwrap());
    }
    for error in ended {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_stream_of_events_lasts_longer_and_ends_too() {
    let lifetimes = Lifetimes {
        answer: Duration::from_millis(200),
        events: Duration::from_millis(2_500),
    };
    let ops = Ops::builder().bind("127.0.0.1:0").lifetimes(lifetimes).start();
    let ops = ops.unwrap();
    let began = Instant::now();
    let mut events = ask(&ops.url(), "/live");
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(bytes @ 1..) = events.read(&mut buffer) {
        read.extend_from_slice(&buffer[..bytes]);
        assert!(began.elapsed() < PATIENCE, "it goes on");
    }
    let lasted = began.elapsed();
    assert!(lasted >= lifetimes.events && lasted < PATIENCE, "{lasted:?}");
    let samples = String::from_utf8_lossy(&read).matches("event: sample").count();
    assert!(samples >= 2, "one a second: {samples}");
}

/// Sends all of these at once; reads until the server closes.
fn ask_all(url: &str, requests: &[&str]) -> String {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let heads: String = requests
        .iter()
        .map(|request| format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        .collect();
    stream.write_all(heads.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    answers
}

#[test]
fn a_connection_takes_one_request() {
    let server = serve(crate::server::LIFETIMES);
    let answers = ask_all(&server.origin(), &["GET /small", "GET /small", "POST /small"]);
    assert!(answers.starts_with("HTTP/1.1 200 OK"), "{answers}");
    let first = answers.split("HTTP/1.1 ").nth(1).unwrap();
    assert!(
        first.to_ascii_lowercase().contains("connection: close"),
        "{first}"
    );
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 1, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 400").count(), 2, "{answers}");
}

/// From this address of this machine.
fn connect_from(source: Ipv4Addr, url: &str) -> io::Result<TcpStream> {
    let authority = url.trim_start_matches("http://").trim_end_matches('/');
    let server: SocketAddr = authority.parse().unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect(&server.into())?;
    Ok(socket.into())
}

/// The bodies never come: each is waited for as long as an answer may take, which is more than the probe waits.
#[test]
fn an_address_that_holds_all_it_may_leaves_some_to_others() {
    let ops = Ops::builder().bind("127.0.0.1:0").start().unwrap();
    let head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n".to_owned()
        + "Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    // one too many may be closed before it is told that it is connected
    let opened = (0..CONNECTIONS_MAX + 1).filter_map(|_| {
        let mut stream = connect_from(Ipv4Addr::LOCALHOST, &ops.url()).ok()?;
        stream.write_all(head.as_bytes()).ok()?;
        Some(stream)
    });
    let opened: Vec<_> = opened.collect();
    let mut probe = connect_from(Ipv4Addr::new(127, 0, 0, 2), &ops.url()).unwrap();
    probe.set_read_timeout(Some(ANSWER_TIME / 2)).unwrap();
    probe
        .write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    probe.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let waits = |mut stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let read = stream.read(&mut [0]);
        assert!(!matches!(read, Ok(1..)), "none is answered");
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    };
    let held = opened.iter().filter(|stream| waits(stream)).count();
    assert_eq!(held, OF_ADDRESS_MAX);
}
