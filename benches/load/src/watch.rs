//! What looks at a runtime while it is measured: nothing, a recorder, or all that an operator has open.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dormouse::Dormouse;
use dormouse::ops::Ops;

use crate::recorder;
use crate::step::Watched;

/// Between two scrapes: fifteen times as often as Prometheus does unless it is told.
const SCRAPE_EVERY: Duration = Duration::from_secs(1);

/// Begins before the store is opened: metrics that were made earlier record nothing.
pub(crate) struct Watch(Option<Operated>);

struct Operated {
    ops: Ops,
    scraper: (Sender<()>, JoinHandle<Result<()>>),
    /// Ends with the server.
    page: JoinHandle<Result<()>>,
}

impl Watch {
    pub(crate) fn start(watched: Watched) -> Result<Self> {
        match watched {
            Watched::No => Ok(Self(None)),
            Watched::Recorded => recorder::install().map(|()| Self(None)),
            Watched::Operated => Operated::start().map(|operated| Self(Some(operated))),
        }
    }

    pub(crate) fn attach(&self, runtime: &Dormouse) {
        if let Some(operated) = &self.0 {
            operated.ops.attach(runtime);
        }
    }

    /// Fails if a scrape or the page's stream did: then what was measured is something else.
    pub(crate) async fn stop(self) -> Result<()> {
        let Some(Operated { ops, scraper, page }) = self.0 else {
            return Ok(());
        };
        let (stop, scraping) = scraper;
        drop(stop);
        ended(scraping)?;
        ops.stop().await;
        ended(page)
    }
}

impl Operated {
    fn start() -> Result<Self> {
        let ops = Ops::builder().bind("127.0.0.1:0").start()?;
        let url = ops.url();
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let (stop, stopped) = mpsc::channel();
        let scraped = host.clone();
        let scraping = thread::spawn(move || {
            while stopped.recv_timeout(SCRAPE_EVERY) == Err(RecvTimeoutError::Timeout) {
                let read = get(&scraped, "/metrics")?;
                ensure!(read > 0, "the scrape was empty");
            }
            Ok(())
        });
        let page = thread::spawn(move || get(&host, "/live").map(drop));
        Ok(Self {
            ops,
            scraper: (stop, scraping),
            page,
        })
    }
}

fn ended(thread: JoinHandle<Result<()>>) -> Result<()> {
    thread.join().map_err(|_| anyhow::anyhow!("a watcher panicked"))?
}

/// Reads an answer to its end, and tells its bytes.
fn get(host: &str, path: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(host)?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut buffer = [0; 16 * 1_024];
    let mut read = stream.read(&mut buffer)?;
    ensure!(buffer.starts_with(b"HTTP/1.1 200"), "{path} was not answered 200");
    loop {
        match stream.read(&mut buffer).with_context(|| format!("read {path}"))? {
            0 => return Ok(read),
            more => read += more,
        }
    }
}
