//! `embedded`: the runtime inside an actix-web service, called over HTTP by clients that keep their connections.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result, ensure};
use dormouse::Dormouse;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::account::{Account, Deposit};
use crate::bank::{self, Settings, account_id};
use crate::latency::Latencies;
use crate::outcome::Outcome;
use crate::random::Random;
use crate::recorder;
use crate::sampler::Sampler;

const IDS: u64 = 10_000;

/// Service and clients share the machine, as everywhere here.
pub(crate) fn run(directory: &Path, clients: u64, seconds: f64, seed: u64) -> Result<Outcome> {
    recorder::install()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (tell, told) = mpsc::channel();
    let directory = directory.to_path_buf();
    let service = std::thread::spawn(move || {
        actix::System::new().block_on(async move {
            let bank = bank::open(&directory, &Settings::default()).await?;
            let server = serve(listener, &bank)?;
            let _ = tell.send((bank.clone(), server.handle()));
            server.await?;
            bank.shutdown().await?;
            anyhow::Ok(())
        })
    });
    let (bank, handle) = told.recv().context("the service did not start")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    call(&runtime, address, clients, seconds / 4.0, seed)?;
    let sampler = Sampler::start(&bank, Duration::from_secs_f64(seconds));
    let before = bank.statistics().store;
    let started = Instant::now();
    let latencies = call(&runtime, address, clients, seconds, seed ^ 1)?;
    let took = started.elapsed().as_secs_f64();
    let after = bank.statistics().store;
    let latency = latencies.merged();
    let mut outcome = Outcome::of(clients, latency.count, took, latency);
    outcome.samples = sampler.finish();
    outcome.set(
        "fsyncs_per_command",
        (after.syncs - before.syncs) as f64 / outcome.latency.count as f64,
    );
    drop(bank);
    runtime.block_on(handle.stop(true));
    let ended = service.join();
    ended.map_err(|_| anyhow::anyhow!("the service panicked"))??;
    Ok(outcome)
}

fn serve(listener: TcpListener, bank: &Dormouse) -> Result<actix_web::dev::Server> {
    let bank = web::Data::new(bank.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(bank.clone())
            .route("/accounts/{id}/deposits/{cents}", web::post().to(deposit))
    });
    Ok(server.disable_signals().listen(listener)?.run())
}

async fn deposit(bank: web::Data<Dormouse>, path: web::Path<(String, i64)>) -> HttpResponse {
    let (id, cents) = path.into_inner();
    let Ok(account) = bank.entity::<Account>(id) else {
        return HttpResponse::NotFound().finish();
    };
    let command = Deposit {
        cents,
        counterparty: 1,
        invoice: 2,
    };
    match account.execute(command).await {
        Ok(balance) => HttpResponse::Ok().body(balance.to_string()),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

fn call(
    runtime: &tokio::runtime::Runtime,
    address: std::net::SocketAddr,
    clients: u64,
    seconds: f64,
    seed: u64,
) -> Result<Arc<Latencies>> {
    let latencies = Arc::new(Latencies::new());
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    runtime.block_on(async {
        let mut running = tokio::task::JoinSet::new();
        for number in 0..clients {
            let latencies = Arc::clone(&latencies);
            running.spawn(async move {
                let mut random = Random::new(seed, number);
                let mut stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let client = usize::try_from(number)?;
                while Instant::now() < until {
                    let sent = Instant::now();
                    let id = account_id(random.below(IDS));
                    post(&mut stream, &format!("/accounts/{id}/deposits/5")).await?;
                    latencies.record(client, sent.elapsed());
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(latencies)
    })
}

/// One request on a kept connection; the answer is short enough for one read of its head and a few of its body.
async fn post(stream: &mut TcpStream, path: &str) -> Result<()> {
    const HEAD_BYTES_MAX: usize = 4_096;
    let request = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut answer, mut filled) = ([0; HEAD_BYTES_MAX], 0);
    loop {
        let read = stream.read(&mut answer[filled..]).await?;
        ensure!(read > 0, "the service closed the connection");
        filled += read;
        if is_whole(&answer[..filled])? {
            return Ok(());
        }
    }
}

/// Whether head and body are there.
fn is_whole(answer: &[u8]) -> Result<bool> {
    let text = std::str::from_utf8(answer)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(false);
    };
    ensure!(head.starts_with("HTTP/1.1 200"), "the service answers {head:?}");
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length:")?
            .trim()
            .parse()
            .ok()
    });
    Ok(body.len() >= length.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_answer_is_whole_with_its_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n15";
        assert!(is_whole(answer).unwrap());
        assert!(!is_whole(&answer[..answer.len() - 1]).unwrap());
        assert!(!is_whole(&answer[..20]).unwrap());
        assert!(is_whole(b"HTTP/1.1 503 No\r\n\r\n").is_err());
    }
}
