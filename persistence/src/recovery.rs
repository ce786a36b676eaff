//! Opening: verifies the end of the log and refills the tail from it.
//!
//! Everything after the indexed position is read, and everything the engine says came from a write-ahead log
//! (`Opened::verify_from`): checksums, offsets, batch numbers, times and the hash chain. The log's end is
//! compared with the indexed position and the watermark, which are kept apart from it.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use dormouse_domain::{Offset, ShardId};

use crate::engine::{Engine, Family, Opened, Watermark};
use crate::error::{StoreError, THE_LOG};
use crate::format::meta::{self, Indexed};
use crate::format::segment::{self, Header};
use crate::format::{Malformed, keys};
use crate::indexer;
use crate::log_end::LogEnd;
use crate::options::{OpenProgress, StoreOptions};
use crate::planted::{Planted, planted};
use crate::queue::Placed;
use crate::tail::{self, Tail};

/// Progress is told after so many bytes of log.
const PROGRESS_BYTES: usize = 16 * 1024 * 1024;
/// A long opening is logged this often.
const LOG_EVERY: Duration = Duration::from_secs(5);

/// What opening found.
pub(crate) struct Recovered {
    pub(crate) tail: Tail,
    pub(crate) log_end: LogEnd,
}

/// Verifies and refills; changes nothing but what is derived, and the watermark as far as the log was verified.
pub(crate) fn recover(opened: &Opened, options: &StoreOptions) -> Result<Recovered, StoreError> {
    let engine = &*opened.engine;
    let indexed = derived_state(engine, options.shard)?;
    let end = last_offset(engine, options.shard)?;
    if indexed.offset > end {
        return Err(StoreError::LogShorterThanIndex {
            log_end: end,
            indexed: indexed.offset,
        });
    }
    let watermark = opened.watermark.filter(|mark| mark.shard == options.shard.get());
    if let Some(mark) = watermark.filter(|mark| mark.offset > end) {
        return Err(StoreError::LogShorterThanWatermark {
            log_end: end,
            watermark: mark.offset,
        });
    }
    let mut refill = Refill {
        engine,
        options,
        tail: Tail::new(options, indexed),
        indexed,
        watermark,
        log_end: LogEnd::EMPTY,
        report: Report::new(options, end),
    };
    if end > Offset::NONE {
        refill.run(opened.verify_from.min(indexed.offset.next()))?;
    }
    Ok(Recovered {
        tail: refill.tail,
        log_end: refill.log_end,
    })
}

/// Checks the derived format, or notes it where nothing is derived yet; how far the log is indexed.
fn derived_state(engine: &dyn Engine, shard: ShardId) -> Result<Indexed, StoreError> {
    match engine.get(Family::Meta, keys::META_FORMAT)? {
        None => {
            engine.put(
                Family::Meta,
                keys::META_FORMAT,
                &meta::encode_format(meta::DERIVED_FORMAT),
            )?;
        }
        Some(value) => {
            let found = meta::decode_format(&value).map_err(|error| damaged_meta("format", &error))?;
            if found > meta::DERIVED_FORMAT {
                return Err(StoreError::NewerFormat {
                    found,
                    supported: meta::DERIVED_FORMAT,
                });
            }
        }
    }
    match engine.get(Family::Meta, &keys::meta_indexed(shard))? {
        None => Ok(Indexed::NONE),
        Some(value) => Indexed::decode(&value).map_err(|error| damaged_meta("the indexed position", &error)),
    }
}

fn damaged_meta(row: &str, error: &Malformed) -> StoreError {
    StoreError::corrupt(
        "what is derived (delete it to have it rebuilt)",
        format!("meta row: {row}"),
        error,
    )
}

fn last_offset(engine: &dyn Engine, shard: ShardId) -> Result<Offset, StoreError> {
    match engine.seek_log(&keys::log(shard, Offset::new(u64::MAX)))? {
        None => Ok(Offset::NONE),
        Some((key, segment)) => Ok(decode(&key, &segment, shard)?.0.last()),
    }
}

/// A segment's header and records; the key says where it should be.
fn decode<'a>(key: &[u8], bytes: &'a [u8], shard: ShardId) -> Result<(Header, Cow<'a, [u8]>), StoreError> {
    let at = keys::parse_log(key)
        .filter(|(found, _)| *found == shard)
        .map(|(_, first)| first);
    let at = at.ok_or_else(|| damaged(Offset::NONE, "a key that is not a segment's"))?;
    let (header, body) = segment::decode(bytes).map_err(|error| damaged(at, error))?;
    if (header.shard, header.first) != (shard, at) {
        return Err(damaged(at, "the segment belongs elsewhere"));
    }
    Ok((header, body))
}

fn damaged(at: Offset, reason: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt(THE_LOG, format!("the segment at offset {at}"), reason)
}

/// Walks the log from a verified place on.
struct Refill<'a> {
    engine: &'a dyn Engine,
    options: &'a StoreOptions,
    tail: Tail,
    indexed: Indexed,
    watermark: Option<Watermark>,
    log_end: LogEnd,
    report: Report<'a>,
}

impl Refill<'_> {
    /// Reads the segments that hold `from` or come after it.
    fn run(&mut self, from: Offset) -> Result<(), StoreError> {
        let shard = self.options.shard;
        let start = self.begin(from)?;
        let mut failed = Ok(());
        self.engine
            .scan_log(&keys::log(shard, start), &mut |key, bytes| {
                if keys::parse_log(key).is_some_and(|(found, _)| found != shard) {
                    return ControlFlow::Break(());
                }
                failed = self.segment(key, bytes);
                if failed.is_ok() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })?;
        failed
    }

    /// Where to start reading; takes the segment before that as the log's end so far.
    fn begin(&mut self, from: Offset) -> Result<Offset, StoreError> {
        let shard = self.options.shard;
        let Some((key, _)) = self.engine.seek_log(&keys::log(shard, from))? else {
            // What there is begins later: the scan finds the gap.
            return Ok(Offset::NONE);
        };
        let start = keys::parse_log(&key).map_or(Offset::NONE, |(_, first)| first);
        if start <= Offset::new(1) {
            return Ok(start);
        }
        let before = Offset::new(start.get() - 1);
        let Some((key, bytes)) = self.engine.seek_log(&keys::log(shard, before))? else {
            return Err(StoreError::LogGap {
                expected: Offset::new(1),
                found: start,
            });
        };
        let (header, _) = decode(&key, &bytes, shard)?;
        self.log_end = LogEnd::of(&header, segment::hash(&bytes));
        self.check_marks(&header)?;
        Ok(start)
    }

    /// Verifies the next segment; one that is not indexed goes into the tail.
    fn segment(&mut self, key: &[u8], bytes: &[u8]) -> Result<(), StoreError> {
        let (header, body) = decode(key, bytes, self.options.shard)?;
        follows(&self.log_end, &header)?;
        let hash = segment::hash(bytes);
        self.log_end = LogEnd::of(&header, hash);
        self.check_marks(&header)?;
        if header.first > self.indexed.offset && !planted(Planted::TailNotRefilled) {
            let placed = placed(&header, &body).map_err(|error| damaged(header.first, error))?;
            let segment = [&bytes[..segment::HEADER_BYTES], &body].concat();
            self.tail.add(segment.into(), &header, hash, placed.into_iter());
            self.make_room()?;
        }
        self.report.read(header.last(), bytes.len());
        Ok(())
    }

    /// The indexed position and the watermark are ends of segments, with the hash noted there.
    fn check_marks(&self, header: &Header) -> Result<(), StoreError> {
        let watermark = self.watermark.map_or(Indexed::NONE, |m| Indexed {
            offset: m.offset,
            hash: m.hash,
        });
        for (name, mark) in [("indexed position", self.indexed), ("watermark", watermark)] {
            if mark.offset < header.first || mark.offset > header.last() {
                continue;
            }
            if mark.offset != header.last() || mark.hash != self.log_end.hash {
                let reason = format!("it is not the segment that the {name} {} speaks of", mark.offset);
                return Err(damaged(header.first, reason));
            }
        }
        Ok(())
    }

    /// A long log is indexed while it is read, so that the tail stays within its bound.
    fn make_room(&mut self) -> Result<(), StoreError> {
        let shard = self.options.shard;
        while !self.tail.has_room()
            && let Some(oldest) = self.tail.oldest_frozen()
        {
            // Verified, and in tables by now.
            let Indexed { offset, hash } = oldest.end();
            self.engine.mark_durable(Watermark::new(shard, offset, hash));
            indexer::store(self.engine, shard, &oldest)?;
            self.tail.remove_oldest();
        }
        Ok(())
    }
}

/// Whether a segment is the one that must come after the log's end so far.
pub(crate) fn follows(end: &LogEnd, next: &Header) -> Result<(), StoreError> {
    let expected = end.last.next();
    if next.first > expected {
        return Err(StoreError::LogGap {
            expected,
            found: next.first,
        });
    }
    let problem = if next.first < expected {
        "it begins before the end of the one before"
    } else if next.previous != end.hash {
        "its hash of the segment before is of another one"
    } else if next.batch != end.batch + 1 {
        "its batch number does not follow"
    } else if next.epoch < end.epoch {
        "its epoch steps back"
    } else if next.time < end.time {
        "its time steps back"
    } else {
        return Ok(());
    };
    Err(damaged(next.first, problem))
}

/// Where a segment's commits are; they are as many as it says.
fn placed(header: &Header, body: &[u8]) -> Result<Vec<Placed>, Malformed> {
    let placed = tail::placed(body)?;
    let events: u64 = placed.iter().map(|commit| u64::from(commit.events)).sum();
    if placed.len() as u64 != u64::from(header.commits) || events != u64::from(header.events) {
        return Err(Malformed::Value("a segment's number of commits or events"));
    }
    Ok(placed)
}

/// Tells how far reading has come, now and then.
struct Report<'a> {
    options: &'a StoreOptions,
    progress: OpenProgress,
    bytes: usize,
    logged: Instant,
}

impl<'a> Report<'a> {
    fn new(options: &'a StoreOptions, end: Offset) -> Report<'a> {
        let progress = OpenProgress {
            from: Offset::NONE,
            at: Offset::NONE,
            end,
        };
        Report {
            options,
            progress,
            bytes: 0,
            logged: Instant::now(),
        }
    }

    fn read(&mut self, at: Offset, bytes: usize) {
        if self.progress.from == Offset::NONE {
            self.progress.from = at;
        }
        self.progress.at = at;
        self.bytes += bytes;
        if self.bytes < PROGRESS_BYTES && at < self.progress.end {
            return;
        }
        self.bytes = 0;
        if let Some(progress) = &self.options.progress {
            progress(self.progress);
        }
        if self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            tracing::info!(at = at.get(), end = self.progress.end.get(), "reading the log");
        }
    }
}

#[cfg(test)]
mod tests;
