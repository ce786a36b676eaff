//! The kill sweep (P1, P3, P4, P6, P7): a child under load is killed, at a random instant or at an exact system call;
//! then everything it was told, and told, must be true of what is on the disk.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dormouse::{CommandId, Dormouse};
use uuid::Uuid;

use crate::child;
use crate::counter::{Add, Counter, stream_name};
use crate::model::{Answer, Heard, Model, Told, Violation};
use crate::random::Random;
use crate::tally::Tally;
use crate::wire;

/// The sweep's settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Kill {
    /// How often the child is killed.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) points: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Begins with this point; with the seed of a failure it runs that one again, on a new store.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    /// Where the store is made; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

/// How a child meets its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    /// Some time after it is ready.
    After(Duration),
    /// As it begins the nth call of this name, counted in each of its threads.
    Call(&'static str, u64),
}

/// System calls at which a child is killed: from which on, since the first are its loader's, and up to which: so many
/// one thread makes in a short life.
const CALLS: [(&str, u64, u64); 8] = [
    ("fdatasync", 1, 400),
    ("write", 1, 3_000),
    ("fsync", 1, 12),
    ("rename", 1, 6),
    ("openat", 16, 120),
    ("link", 1, 5),
    ("unlink", 1, 8),
    ("ftruncate", 1, 8),
];
/// A child that does not come to its call is killed all the same.
const LIFE_MAX: Duration = Duration::from_secs(2);
const OPEN_MAX: Duration = Duration::from_secs(60);

impl Death {
    fn of(point: u32, random: &mut Random, has_strace: bool) -> Self {
        if point.is_multiple_of(2) || !has_strace {
            return Self::After(Duration::from_micros(random.below(250_000)));
        }
        let (call, least, most) = CALLS[random.below(CALLS.len() as u64) as usize];
        // low numbers, where files are made and recovery is at work, as often as high ones
        let span = most - least + 1;
        let span = if random.below(2) == 0 {
            span.div_ceil(10)
        } else {
            span
        };
        Self::Call(call, least + random.below(span))
    }

    fn name(self) -> &'static str {
        match self {
            Self::After(_) => "a random instant",
            Self::Call(call, _) => call,
        }
    }
}

pub(crate) async fn run(kill: &Kill) -> Result<Tally> {
    let place = match &kill.directory {
        Some(directory) => directory.clone(),
        None => tempfile::Builder::new().prefix("torture-kill").tempdir()?.keep(),
    };
    let store = place.join("store");
    let has_strace = has_strace();
    let mut tally = Tally::new("kill", kill.points);
    if !has_strace {
        tally.note("strace is not installed: all kills at random instants");
    }
    let mut model = Model::default();
    for point in kill.first..kill.first + kill.points {
        let mut random = Random::new(kill.seed, u64::from(point));
        let death = Death::of(point, &mut random, has_strace);
        let (heard, reached) = live(&store, random.next() >> 40, death)?;
        let violations = judge(&store, &mut model, &heard, &mut tally).await;
        tally.tried(death.name(), if reached { "" } else { "not reached" });
        let violations = violations.unwrap_or_else(|error| {
            let what = format!("the store does not open: {error:#}");
            vec![Violation { promise: "P1", what }]
        });
        if !violations.is_empty() {
            let rerun = format!(
                "cargo run --release -p torture -- kill --seed {} --first {point} --points 1",
                kill.seed
            );
            tally.failed(&violations, &format!("point {point}, {death:?}"), &store, &rerun);
            return Ok(tally);
        }
    }
    tally.count("events in the log", model.events());
    std::fs::remove_dir_all(&place).context("remove the store")?;
    Ok(tally)
}

fn has_strace() -> bool {
    let mut probe = Command::new("strace");
    probe.arg("-V").stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// One child's life: what it told, and whether it came to its call.
fn live(store: &Path, seed: u64, death: Death) -> Result<(Heard, bool)> {
    let mut child = start(store, seed, death)?;
    let out = child.stdout.take().context("the child's output is piped")?;
    let (tell, told) = channel();
    let listener = std::thread::spawn(move || -> Result<Heard> {
        let mut heard = Heard::default();
        wire::hear(out, |word| {
            if word == wire::Word::Ready {
                let _ = tell.send(());
            }
            heard.word(word);
        })?;
        Ok(heard)
    });
    // killed before it is ready it hangs up without a word
    if told.recv_timeout(OPEN_MAX) == Err(RecvTimeoutError::Timeout) {
        kill_all(&mut child)?;
        bail!("the child does not come up within {OPEN_MAX:?}");
    }
    let lives = match death {
        Death::After(time) => time,
        Death::Call(..) => LIFE_MAX,
    };
    let until = Instant::now() + lives;
    let mut reached = true;
    while child.try_wait()?.is_none() {
        if Instant::now() >= until {
            reached = matches!(death, Death::After(_));
            kill_all(&mut child)?;
            break;
        }
        std::thread::sleep(Duration::from_millis(1).min(until.saturating_duration_since(Instant::now())));
    }
    child.wait()?;
    let heard = listener.join().expect("the listener does not panic")?;
    Ok((heard, reached))
}

fn start(store: &Path, seed: u64, death: Death) -> Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = match death {
        Death::After(_) => Command::new(program),
        Death::Call(call, nth) => {
            let mut strace = Command::new("strace");
            // without --seccomp-bpf: strace 6.1 then injects nothing into most calls
            strace.args(["-f", "-qqq", "-o", "/dev/null"]);
            strace.args(["-e", &format!("trace={call}")]);
            strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={nth}")]);
            strace.arg(program);
            strace
        }
    };
    command
        .arg("child")
        .arg("--store")
        .arg(store)
        .arg("--seed")
        .arg(seed.to_string());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // a group of its own: strace and what it traces die together
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().context("start the child")
}

fn kill_all(child: &mut Child) -> Result<()> {
    // by the shell's kill: sending a signal to a group takes `unsafe` otherwise
    let group = format!("-{}", child.id());
    Command::new("kill")
        .args(["-KILL", "--", &group])
        .status()
        .context("run kill")?;
    Ok(())
}

/// Opens what the child left, and holds it to what the child told.
async fn judge(store: &Path, model: &mut Model, heard: &Heard, tally: &mut Tally) -> Result<Vec<Violation>> {
    model.begin();
    let opening = Instant::now();
    let runtime = child::open(store).await?;
    tally.longest("opening, ms", opening.elapsed().as_millis() as u64);
    let mut broken = model.read_on(runtime.store())?;
    broken.extend(model.read_streams(runtime.store()));
    broken.extend(heard.commands.values().filter_map(|told| model.hold(told)));
    tally.count("acknowledged", heard.acknowledged() as u64);
    if broken.is_empty() {
        for told in heard.commands.values().filter(|told| told.answer == Answer::None) {
            let had_effect = model.effect(told.id);
            tally.count(
                if had_effect.is_some() {
                    "unknown, done"
                } else {
                    "unknown, not done"
                },
                1,
            );
            broken.extend(settle(&runtime, told, had_effect).await);
        }
        broken.extend(model.read_on(runtime.store())?);
    }
    runtime.shutdown().await?;
    Ok(broken)
}

/// Sends again what was not answered: exactly one effect, and the reply of that one (P3, P6).
async fn settle(runtime: &Dormouse, told: &Told, had_effect: Option<u64>) -> Option<Violation> {
    let broken = |what: String| {
        let what = format!(
            "command {} to counter {} sent again: {what}",
            told.number, told.stream
        );
        Some(Violation { promise: "P6", what })
    };
    let counter = runtime
        .entity::<Counter>(stream_name(told.stream))
        .expect("a valid id");
    let id = CommandId::from(Uuid::from_u128(told.id));
    let again = counter.execute(Add::numbered(told.number)).id(id).receipt().await;
    match (again, had_effect) {
        (Ok(receipt), Some(version)) if receipt.replayed && receipt.reply == version => None,
        (Ok(receipt), None) if !receipt.replayed && receipt.reply == receipt.version.get() => None,
        (answer, before) => broken(format!(
            "it had taken effect at version {before:?}; answered {answer:?}"
        )),
    }
}
