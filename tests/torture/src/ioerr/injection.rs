//! System calls on the store's files that fail, by `strace`: around a child from its start, or beside one that runs.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::strace::Attached;

/// Files that RocksDB may make in one life of a child, by their numbers.
const NEW_FILES: u64 = 80;

/// Whose calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `log/`, the watermark, and what else lies beside them.
    Log,
    /// The watermark alone: where the log fails, too, nobody sees what becomes of it.
    Watermark,
    Derived,
    All,
}

/// One `-e inject=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Injection {
    pub(crate) part: Part,
    pub(crate) call: &'static str,
    /// `error=EIO`, `delay_enter=…`
    pub(crate) what: String,
    /// `3`, `3+`, `3..9`: counted in each thread.
    pub(crate) when: String,
}

impl Injection {
    /// Whether all calls fail from one on.
    pub(crate) fn lasts(&self) -> bool {
        self.when.ends_with('+')
    }

    /// `strace`'s arguments, but for whom it traces. It notes each call in `notes`.
    fn strace(&self, store: &Path, notes: &Path) -> Result<Command> {
        let Self { call, what, when, .. } = self;
        let mut strace = Command::new("strace");
        // without --seccomp-bpf: strace 6.1 then injects nothing into most calls
        strace.args(["-f", "-qqq", "-y", "-s", "0", "-o"]).arg(notes);
        strace.args(["-e", &format!("trace={call}")]);
        strace.args(["-e", &format!("inject={call}:{what}:when={when}")]);
        for path in self.part.paths(store)? {
            // only calls on these: a process's own pipes and wake-ups stay sound
            strace.arg("-P").arg(path);
        }
        Ok(strace)
    }

    /// The command that runs another one under it, from its start, until [`let_go`](crate::strace::let_go).
    pub(crate) fn around(&self, command: &Command, store: &Path, notes: &Path) -> Result<Command> {
        let mut strace = self.strace(store, notes)?;
        // as a grandchild (as the parent it would take the child along when it goes) that can be told to go, which is not
        // the default with a file for its notes
        strace.args(["-D", "-I2"]);
        strace.arg(command.get_program()).args(command.get_args());
        Ok(strace)
    }

    /// Begins with a process that runs.
    pub(crate) fn beside(&self, process: u32, store: &Path, notes: &Path) -> Result<Attached> {
        Attached::to(process, self.strace(store, notes)?)
    }
}

impl Part {
    /// The files, those to come too: `strace` knows no patterns.
    fn paths(self, store: &Path) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        if self == Part::Watermark {
            return Ok(vec![store.join("watermark")]);
        }
        if self != Part::Derived {
            instance(&store.join("log"), &mut paths)?;
            let names = ["watermark", "FORMAT", "FORMAT.new", "CREATING", "LOCK"];
            paths.extend(names.map(|name| store.join(name)));
            paths.push(store.to_path_buf());
        }
        if self != Part::Log {
            let derived = store.join("derived");
            instance(&derived, &mut paths)?;
            let runs = derived.join("runs");
            let names = ["streams.sst", "commands.sst", "snapshots.sst", "meta.sst"];
            paths.extend(names.map(|name| runs.join(name)));
            paths.push(runs);
            paths.push(store.join("REBUILD"));
        }
        Ok(paths)
    }
}

/// A RocksDB directory and its files.
fn instance(directory: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let mut newest = 0;
    if directory.exists() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            // RocksDB's text logs may fail, and their names hold times
            if name.starts_with("LOG") || path.is_dir() {
                continue;
            }
            let number = name.split(['.', '-']).find_map(|part| part.parse().ok());
            newest = newest.max(number.unwrap_or(0));
            paths.push(path);
        }
    }
    for number in newest + 1..=newest + NEW_FILES {
        for extension in ["log", "sst", "dbtmp"] {
            paths.push(directory.join(format!("{number:06}.{extension}")));
        }
        paths.push(directory.join(format!("MANIFEST-{number:06}")));
    }
    paths.push(directory.join("CURRENT"));
    paths.push(directory.to_path_buf());
    Ok(())
}

/// What was injected, as `strace` noted it.
#[derive(Debug, Default)]
pub(crate) struct Injected {
    pub(crate) calls: u64,
    /// One of them was a write or a sync of a write-ahead log of `log/`, and failed.
    pub(crate) hit_log: bool,
    /// The same of the watermark.
    pub(crate) hit_watermark: bool,
    /// The same of a run in the making.
    pub(crate) hit_run: bool,
}

/// Reads the notes.
pub(crate) fn injected(notes: &Path) -> Result<Injected> {
    let mut injected = Injected::default();
    let mut unfinished = HashMap::new();
    for line in String::from_utf8_lossy(&fs::read(notes).unwrap_or_default()).lines() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        if call.contains("<unfinished") {
            unfinished.insert(thread.to_owned(), call.to_owned());
        }
        if !call.contains("(INJECTED)") && !call.contains("(DELAYED)") {
            continue;
        }
        injected.calls += 1;
        let begun = if call.contains(" resumed>") {
            unfinished.get(thread).map_or("", String::as_str)
        } else {
            call
        };
        let name = begun.trim_start().split('(').next().unwrap_or_default();
        let has_failed = call.contains("(INJECTED)") && !call.contains("EINTR");
        if has_failed && ["write", "fdatasync", "fsync"].contains(&name) {
            injected.hit_log |= begun.contains("/log/") && begun.contains(".log>");
            injected.hit_watermark |= begun.contains("/watermark>");
            injected.hit_run |= begun.contains("/derived/runs/") && begun.contains(".sst>");
        }
    }
    Ok(injected)
}
