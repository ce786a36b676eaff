//! The parent: starts the worker, counts what it acknowledges, kills it half-way and starts it again.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;

use crate::arguments::Arguments;
use crate::console;
use crate::progress::Progress;
use crate::wire::{self, Ack, Gauges, Message, Outcome};

/// What the parent knows at the end, from its workers' acknowledgements alone.
pub(crate) struct Replay {
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    pub(crate) latencies_us: Histogram<u32>,
    /// One or, if one was killed, two.
    pub(crate) workers: Vec<Worker>,
    /// Where the console was.
    pub(crate) console_port: u16,
}

/// One worker's life.
#[derive(Debug, Default)]
pub(crate) struct Worker {
    pub(crate) acknowledged: u64,
    /// From its first to its last acknowledgement.
    pub(crate) replaying: Duration,
    /// From its start to its first acknowledgement: reading the table, and opening the store.
    pub(crate) starting: Duration,
    pub(crate) gauges: Gauges,
    pub(crate) killed: bool,
}

impl Replay {
    pub(crate) fn commands(&self) -> u64 {
        self.workers.iter().map(|worker| worker.acknowledged).sum()
    }

    pub(crate) fn replaying(&self) -> Duration {
        self.workers.iter().map(|worker| worker.replaying).sum()
    }

    pub(crate) fn commands_per_second(&self) -> f64 {
        self.commands() as f64 / self.replaying().as_secs_f64()
    }
}

/// Replays `commands` commands. `kill` is asked after each acknowledgement, with their number, by the first worker
/// only.
pub(crate) fn replay(arguments: &Arguments, commands: u64) -> Result<Replay> {
    let mut supervisor = Supervisor {
        commands,
        acknowledged: vec![0; arguments.clients()],
        replay: Replay {
            outcomes: BTreeMap::new(),
            latencies_us: Histogram::new_with_bounds(1, 120_000_000, 3).expect("these bounds are valid"),
            workers: Vec::new(),
            console_port: console::PORT,
        },
        progress: Progress::new(commands),
        console_told: false,
    };
    let kill_at = arguments.kills().then_some(commands / 2);
    if let Some(kill_at) = kill_at {
        supervisor.run_worker(arguments, Some(kill_at))?;
    }
    supervisor.run_worker(arguments, None)?;
    let replay = supervisor.replay;
    supervisor.progress.finish();
    ensure!(
        replay.commands() == commands,
        "{} of {commands} commands were acknowledged",
        replay.commands()
    );
    Ok(replay)
}

struct Supervisor {
    commands: u64,
    /// By client.
    acknowledged: Vec<u64>,
    replay: Replay,
    progress: Progress,
    console_told: bool,
}

impl Supervisor {
    /// Runs one worker until it ends, or until that many commands are acknowledged in all: then it is killed.
    fn run_worker(&mut self, arguments: &Arguments, kill_at: Option<u64>) -> Result<()> {
        let started = Instant::now();
        let mut child = Running(start(arguments, &self.acknowledged, self.replay.console_port)?);
        let pipe = child.0.stdout.take().expect("the worker's output is piped");
        let before = self.replay.commands();
        let mut worker = Worker::default();
        let (mut first, mut last) = (None, started);
        wire::read(pipe, |message| {
            match message {
                Message::Page(gauges) => worker.gauges = *gauges,
                Message::Console(port) => self.tell_console(port),
                Message::Answered(ack) => {
                    last = Instant::now();
                    first.get_or_insert(last);
                    worker.acknowledged += 1;
                    self.count(ack)?;
                    let all = before + worker.acknowledged;
                    self.progress.at(all);
                    if !worker.killed && kill_at.is_some_and(|kill_at| all >= kill_at) {
                        // What it had written into the pipe by now is still read, and counts.
                        child.0.kill().context("the worker can't be killed")?;
                        worker.killed = true;
                        self.progress.say(&format!(
                            "killed the worker (SIGKILL) after {all} acknowledgements"
                        ));
                    }
                }
            }
            Ok(())
        })?;
        let ended = child.0.wait()?;
        worker.starting = first.unwrap_or(last) - started;
        worker.replaying = last - first.unwrap_or(last);
        ensure!(
            worker.killed || ended.success(),
            "the worker failed ({ended}) after {} of {} commands",
            before + worker.acknowledged,
            self.commands
        );
        self.replay.workers.push(worker);
        Ok(())
    }

    /// Once; the worker that follows is told to take the same port.
    fn tell_console(&mut self, port: u16) {
        if !self.console_told || port != self.replay.console_port {
            println!("{}", console::line(port, self.replay.console_port));
        }
        (self.console_told, self.replay.console_port) = (true, port);
    }

    fn count(&mut self, ack: Ack) -> Result<()> {
        let client = self
            .acknowledged
            .get_mut(usize::from(ack.client))
            .context("an unknown client was answered")?;
        *client += 1;
        *self.replay.outcomes.entry(ack.outcome).or_default() += 1;
        self.replay
            .latencies_us
            .saturating_record(u64::from(ack.latency_us.max(1)));
        Ok(())
    }
}

/// A worker that doesn't outlive its parent's interest.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended, which is what they are for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(arguments: &Arguments, acknowledged: &[u64], console_port: u16) -> Result<Child> {
    let program = std::env::current_exe().context("this program doesn't know where it is")?;
    let mut child = Command::new(program)
        .args(arguments.for_worker(console_port)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the worker can't be started")?;
    let stdin = child.stdin.take().expect("the worker's input is piped");
    serde_json::to_writer(stdin, acknowledged).context("the worker doesn't take its orders")?;
    Ok(child)
}
