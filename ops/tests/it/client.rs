//! A plain HTTP client that hides nothing: tests send any head they like and see every header.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use dormouse_ops::Ops;
use socket2::{Domain, Socket, Type};

/// No test waits longer for an answer: the server's own limits are shorter.
const PATIENCE: Duration = Duration::from_secs(45);

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Self {
            status: status.unwrap_or_else(|| panic!("no status in {text:?}")),
            head: head.into(),
            body: if chunked { unchunked(body) } else { body.into() },
        }
    }
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap_or(0);
        if length == 0 {
            break;
        }
        whole.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    whole
}

/// Address and port of a server.
pub(crate) fn authority(ops: &Ops) -> String {
    let url = ops.url();
    let rest = url.split("//").nth(1).unwrap();
    rest.split('/').next().unwrap().into()
}

pub(crate) fn connect(authority: &str) -> TcpStream {
    let stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// From this address of this machine: each may hold a part of the connections only.
pub(crate) fn connect_from(source: [u8; 4], authority: &str) -> TcpStream {
    let server: SocketAddr = authority.parse().unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// Sends `bytes` as they are; reads until the server closes.
pub(crate) fn send_raw(authority: &str, bytes: &[u8]) -> Answer {
    let mut stream = connect(authority);
    // a server that has refused already may have closed
    let _ = stream.write_all(bytes);
    Answer::parse(&read_all(&mut stream))
}

pub(crate) fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return all,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("no answer in {PATIENCE:?}")
            }
            Err(_) => return all,
        }
    }
}

/// A request's head and body; `headers` as lines without their ends, `Host` and `Connection` added unless given.
pub(crate) fn request(authority: &str, line: &str, headers: &[&str], body: &str) -> String {
    let given = |name: &str| {
        let lower = |header: &&&str| header.to_ascii_lowercase().starts_with(name);
        headers.iter().any(|header| lower(&header))
    };
    let mut text = format!("{line} HTTP/1.1\r\n");
    if !given("host:") {
        text += &format!("Host: {authority}\r\n");
    }
    if !body.is_empty() && !given("content-length:") && !given("transfer-encoding:") {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    for header in headers {
        text += &format!("{header}\r\n");
    }
    text + "Connection: close\r\n\r\n" + body
}

pub(crate) fn send(ops: &Ops, line: &str, headers: &[&str], body: &str) -> Answer {
    let authority = authority(ops);
    send_raw(&authority, request(&authority, line, headers, body).as_bytes())
}

pub(crate) fn get(ops: &Ops, path: &str, headers: &[&str]) -> Answer {
    send(ops, &format!("GET {path}"), headers, "")
}

/// On a free port of this machine, open to everyone on it.
pub(crate) fn open() -> Ops {
    Ops::builder().bind("127.0.0.1:0").start().unwrap()
}
