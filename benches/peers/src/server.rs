//! A PostgreSQL of this measurement's own: a fresh cluster, everything at its default, no port but a Unix socket.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row, postgres::PgConnectOptions};

use crate::installation::Installation;
use crate::place::Place;
use crate::usage::{family_cpu_seconds, own_cpu_seconds};

/// A new cluster is up in a fraction of a second.
const START_LIMIT: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(20);
const SUPERUSER: &str = "postgres";
const PORT: u16 = 5432;

/// The server; stopped and its cluster removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    // Dropped in this order, after `drop` has stopped the server.
    process: Child,
    installation: Installation,
    place: Place,
}

impl Server {
    /// Makes a cluster in `directory` and starts its server. The calling thread must live as long as the server.
    pub(crate) fn start(installation: &Installation, directory: &Path) -> Result<Self> {
        let place = Place::make(installation, directory)?;
        make_cluster(installation, &place)?;
        let log = File::create(place.log())?;
        let mut command = installation.command("postgres");
        command.arg("-D").arg(place.cluster());
        command.arg("-k").arg(place.socket());
        command.args(["-c", "listen_addresses=", "-p", &PORT.to_string()]);
        let process = command
            .current_dir(place.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self {
            process,
            installation: installation.clone(),
            place,
        })
    }

    /// What sqlx connects to.
    pub(crate) fn url(&self) -> String {
        let socket = self.place.socket().display().to_string().replace('/', "%2F");
        format!("postgres://{SUPERUSER}@{socket}:{PORT}/{SUPERUSER}")
    }

    /// Waits until the server answers, checks what it promises and makes the tables of cqrs-es.
    pub(crate) async fn prepare(&self) -> Result<()> {
        let mut connection = self.first_connection().await?;
        for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
            let value = connection.fetch_one(format!("SHOW {setting}").as_str()).await?;
            let value: String = value.try_get(0)?;
            ensure!(
                value == "on",
                "{setting} is {value}: answers would not be durable"
            );
        }
        connection.execute(include_str!("schema.sql")).await?;
        Ok(connection.close().await?)
    }

    async fn first_connection(&self) -> Result<PgConnection> {
        let started = Instant::now();
        loop {
            match self.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) if started.elapsed() > START_LIMIT => {
                    let log = fs::read_to_string(self.place.log()).unwrap_or_default();
                    bail!("PostgreSQL does not answer: {error}\n{log}")
                }
                Err(_) => tokio::time::sleep(START_POLL).await,
            }
        }
    }

    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        let options: PgConnectOptions = self.url().parse()?;
        Ok(options.connect().await?)
    }

    /// Synced writes of the log so far, as the server counts them: of sessions that have ended, that is exact.
    pub(crate) async fn log_syncs(&self) -> Result<i64> {
        self.number("SELECT wal_sync FROM pg_stat_wal").await
    }

    /// Events in the table.
    pub(crate) async fn events(&self) -> Result<i64> {
        self.number("SELECT count(*) FROM events").await
    }

    async fn number(&self, query: &str) -> Result<i64> {
        let mut connection = self.connect().await?;
        let number = connection.fetch_one(query).await?.try_get(0)?;
        connection.close().await?;
        Ok(number)
    }

    /// Processor time of the server and of this process, its client.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        own_cpu_seconds() + self.server_cpu_seconds()
    }

    pub(crate) fn server_cpu_seconds(&self) -> f64 {
        family_cpu_seconds(self.process.id())
    }

    fn stop(&mut self) -> Result<()> {
        let mut command = self.installation.command("pg_ctl");
        command.args(["stop", "--silent", "--mode=immediate", "-D"]);
        let stopped = command
            .arg(self.place.cluster())
            .current_dir(self.place.socket())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            // It may have ended by itself. Its children end with it.
            self.process.kill()?;
        }
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("peers: PostgreSQL can't be stopped: {error}");
        }
    }
}

/// The locale C is the fastest that PostgreSQL has: keys are compared byte by byte.
fn make_cluster(installation: &Installation, place: &Place) -> Result<()> {
    let mut command = installation.command("initdb");
    command.arg("-D").arg(place.cluster());
    command.args([
        "--username",
        SUPERUSER,
        "--auth=trust",
        "--locale=C",
        "--encoding=UTF8",
    ]);
    let output = command.current_dir(place.socket()).output();
    let output = output.context("initdb can't be run")?;
    ensure!(
        output.status.success(),
        "no cluster can be made: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
