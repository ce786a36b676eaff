//! This test binary, started again as a process that can be killed: it runs one test, which finds its task in the
//! environment and does nothing without one.

use std::io::{BufRead, BufReader, Lines, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use dormouse_persistence::{Health, Settlement, Store, StoreOptions};

use crate::client::{Client, stream};

const TASK: &str = "DORMOUSE_CHILD_TASK";
const DIRECTORY: &str = "DORMOUSE_CHILD_DIRECTORY";
/// Marks the lines that are meant for the parent: the test harness prints on the same pipe.
const MARK: &str = "child> ";

/// A running child.
pub struct Child {
    process: std::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub fn start(task: &str, directory: &Path) -> Child {
        Child::run(Command::new(std::env::current_exe().unwrap()), task, directory)
    }

    /// A child that can't make a file longer than `kib` KiB: a write beyond it fails, as on a full disk.
    pub fn start_limited(task: &str, directory: &Path, kib: u64) -> Child {
        let mut shell = Command::new("sh");
        // `ulimit -f` counts blocks of 512 bytes in sh. SIGXFSZ is ignored, so that the write answers EFBIG.
        let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kib * 2);
        shell.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
        Child::run(shell, task, directory)
    }

    fn run(mut command: Command, task: &str, directory: &Path) -> Child {
        let mut process = command
            .args([
                "--exact",
                "child::child_process",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(TASK, task)
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Child { process, lines }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn next(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.unwrap();
            // A line of the harness may stand before ours, without an end.
            // The kill may have cut the last one short; a whole one ends with a dot.
            if let Some((_, said)) = line.split_once(MARK)
                && let Some(said) = said.strip_suffix('.')
            {
                return Some(said.to_string());
            }
        }
    }

    /// The next thing it says.
    pub fn line(&mut self) -> String {
        self.next().expect("the child goes on")
    }

    /// Kills it without warning; what it had said before it died.
    pub fn kill(mut self) -> Vec<String> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let mut said = Vec::new();
        while let Some(line) = self.next() {
            said.push(line);
        }
        said
    }

    pub fn wait(mut self) {
        while self.next().is_some() {}
        self.process.wait().unwrap();
    }
}

/// A small generator: its whole state is the seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Letters that nothing compresses.
pub fn noise(len: usize) -> String {
    let mut random = Random(len as u64);
    let mut letter = || char::from(b'!' + u8::try_from(random.below(94)).unwrap());
    (0..len).map(|_| letter()).collect()
}

fn say(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{line}.").unwrap();
    out.flush().unwrap();
}

#[test]
fn child_process() {
    let (Ok(task), Ok(directory)) = (std::env::var(TASK), std::env::var(DIRECTORY)) else {
        return;
    };
    let options = StoreOptions::default()
        .generation_bytes(20_000)
        .watermark_every_ms(1);
    let store = Store::open_with(directory, options).unwrap();
    let (task, target) = task.split_once(' ').unwrap_or((&task, ""));
    match task {
        "copy" => copy(&store, target),
        "hold" => hold(),
        "write" => write(&store, 300, u64::MAX),
        "fill" => write(&store, 20_000, 1_000),
        other => panic!("no such task: {other}"),
    }
    store.close().unwrap();
}

/// Waits to be killed, or for the parent's end.
fn hold() {
    say("open");
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    loop {
        std::thread::park();
    }
}

/// Copies the store, says why that failed, and writes on.
fn copy(store: &Store, target: &str) {
    match store.checkpoint(target, &mut |_| ControlFlow::Continue(())) {
        Ok(made) => say(format!("{made:?}")),
        Err(error) => say(error),
    }
    let client = Client::new(store);
    client.durable(&client.open(&stream("s1")), &["it goes on"]);
    say("durable");
}

/// Writes commits of up to `bytes` bytes and says each one's last offset once it is durable.
fn write(store: &Store, bytes: usize, commits: u64) {
    let client = Client::new(store);
    let streams: Vec<_> = (0..7).map(|n| client.open(&stream(&format!("s{n}")))).collect();
    // Longer than what packing looks back for: commits of one batch repeat nothing of each other.
    let text = noise(20 * bytes);
    // Several are on their way at any time, so that batches hold several.
    let mut random = Random(u64::from(std::process::id()));
    for key in 0..commits {
        let length = random.below(bytes as u64) as usize;
        let start = random.below(19 * bytes as u64) as usize;
        client.submit(
            &streams[(key % 7) as usize],
            &[&text[start..start + length], "end"],
            None,
            key,
        );
        if key < 5 {
            continue;
        }
        match client.settled().settlement {
            Settlement::Durable { first, .. } => say(first.offset.get() + 1),
            _ => {
                let Health::Stopped { reason } = store.health() else {
                    panic!("unknown, and healthy")
                };
                return say(format!("stopped: {reason}"));
            }
        }
    }
}
