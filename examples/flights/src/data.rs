//! The data: every flight that left, or should have left, New York's airports in 2013.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

/// The compact copy of the table; `data/README.md` says where it comes from.
const TABLE: &[u8] = include_bytes!("../data/flights-2013.csv.zst");
/// Its first line.
const HEADER: &str = "carrier,flight,origin,dest,distance,month,day,sched_dep_time,sched_arr_time,dep_delay,arr_time,air_time,tailnum";
/// 2013-01-01T00:00:00Z in milliseconds since the Unix epoch. Instants of this demonstration are minutes since then.
pub(crate) const YEAR_BEGINS_MS: i64 = 1_356_998_400_000;
/// Days of the year before each month.
const DAYS_BEFORE: [i32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// One row. Clock values are local times written as 1545 for 15:45; those of an arrival are the destination's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    /// Date, carrier, number and origin, unique in the table: `2013-01-09/HA/51/JFK`.
    pub(crate) flight_id: Box<str>,
    pub(crate) destination: Arc<str>,
    pub(crate) distance_miles: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) departs_clock: u16,
    pub(crate) arrives_clock: u16,
    /// Minutes late; none: it never left.
    pub(crate) delay_min: Option<i16>,
    /// None: cancelled, or its end was not recorded.
    pub(crate) arrived_clock: Option<u16>,
    pub(crate) air_time_min: Option<u16>,
    pub(crate) tail: Option<Arc<str>>,
}

/// The table as text, 17.7 MB.
pub(crate) fn table() -> Result<String> {
    let bytes = zstd::decode_all(TABLE).context("the flights table can't be decompressed")?;
    String::from_utf8(bytes).context("the flights table isn't text")
}

/// The rows of some months, in the order of the table (by carrier, number, origin, destination, date).
pub(crate) fn read(months: &RangeInclusive<u8>) -> Result<Vec<Record>> {
    let table = table()?;
    let mut lines = table.lines();
    ensure!(
        lines.next() == Some(HEADER),
        "the flights table has other columns than {HEADER}"
    );
    let mut names = Names::default();
    let mut records = Vec::new();
    for (row, line) in lines.enumerate() {
        let record = parse(line, &mut names)
            .with_context(|| format!("row {} of the flights table: {line}", row + 1))?;
        if months.contains(&record.month) {
            records.push(record);
        }
    }
    Ok(records)
}

fn parse(line: &str, names: &mut Names) -> Result<Record> {
    let mut fields = line.split(',');
    let mut next = |column: &'static str| fields.next().with_context(|| format!("no column {column}"));
    let (carrier, number, origin) = (next("carrier")?, next("flight")?, next("origin")?);
    let destination = names.share(next("dest")?);
    let distance_miles = next("distance")?.parse()?;
    let (month, day) = (next("month")?.parse()?, next("day")?.parse()?);
    Ok(Record {
        flight_id: format!("2013-{month:02}-{day:02}/{carrier}/{number}/{origin}").into(),
        destination,
        distance_miles,
        month,
        day,
        departs_clock: next("sched_dep_time")?.parse()?,
        arrives_clock: next("sched_arr_time")?.parse()?,
        delay_min: optional(next("dep_delay")?)?,
        arrived_clock: optional(next("arr_time")?)?,
        air_time_min: optional(next("air_time")?)?,
        tail: Some(next("tailnum")?)
            .filter(|tail| !tail.is_empty())
            .map(|tail| names.share(tail)),
    })
}

fn optional<T: std::str::FromStr<Err = std::num::ParseIntError>>(field: &str) -> Result<Option<T>> {
    Ok(if field.is_empty() {
        None
    } else {
        Some(field.parse()?)
    })
}

/// Each airport and tail number is kept once: 337,000 rows use 4,000 of them.
#[derive(Default)]
struct Names(HashSet<Arc<str>>);

impl Names {
    fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

impl Record {
    /// When it should leave, in minutes since 2013 began in UTC.
    pub(crate) fn scheduled_at_min(&self) -> i32 {
        let clock = i32::from(self.departs_clock);
        let days = DAYS_BEFORE[usize::from(self.month) - 1] + i32::from(self.day) - 1;
        // New York's clock was 4 hours behind UTC from 10 March to 2 November, else 5. The clock changed at two in
        // the morning; nothing is scheduled on those nights before five.
        let summer = (self.month, self.day) >= (3, 10) && (self.month, self.day) < (11, 3);
        days * 1440 + clock / 100 * 60 + clock % 100 + if summer { 240 } else { 300 }
    }

    /// When it left.
    pub(crate) fn departed_at_min(&self) -> Option<i32> {
        self.delay_min
            .map(|delay| self.scheduled_at_min() + i32::from(delay))
    }

    /// About when it landed, if it did: departure plus time in the air. What a clock showed on arrival is of no use
    /// for ordering, and taxiing isn't recorded. The diverted flights lack the time in the air as well; they are
    /// reckoned at eight miles a minute and twenty minutes more.
    pub(crate) fn landed_at_min(&self) -> Option<i32> {
        self.arrived_clock?;
        let reckoned = self.distance_miles / 8 + 20;
        Some(self.departed_at_min()? + i32::from(self.air_time_min.unwrap_or(reckoned)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_year_is_complete() {
        let year = read(&(1..=12)).unwrap();
        assert_eq!(year.len(), 336_776);
        assert_eq!(year.iter().filter(|r| r.delay_min.is_some()).count(), 328_521);
        assert_eq!(year.iter().filter(|r| r.arrived_clock.is_some()).count(), 328_063);
        assert_eq!(year.iter().filter(|r| r.delay_min.is_none()).count(), 8_255);
        assert_eq!(
            year.iter()
                .filter(|r| r.arrived_clock.is_some() && r.air_time_min.is_none())
                .count(),
            717
        );
        assert_eq!(year.iter().filter(|r| r.tail.is_none()).count(), 2_512);
        assert_eq!(
            year.iter()
                .filter_map(|r| r.tail.as_deref())
                .collect::<HashSet<_>>()
                .len(),
            4_043
        );
        let ids: HashSet<&str> = year.iter().map(|record| &*record.flight_id).collect();
        assert_eq!(
            ids.len(),
            year.len(),
            "date, carrier, number and origin name one flight"
        );
    }

    #[test]
    fn every_flight_that_left_has_a_tail_number_and_landed_after_it_left() {
        for record in read(&(1..=12)).unwrap().iter().filter(|r| r.delay_min.is_some()) {
            assert!(record.tail.is_some(), "{record:?}");
            assert!(
                record
                    .landed_at_min()
                    .is_none_or(|landed| landed > record.departed_at_min().unwrap())
            );
        }
    }

    #[test]
    fn months_are_chosen() {
        let january = read(&(1..=1)).unwrap();
        assert_eq!(january.len(), 27_004);
        assert!(january.iter().all(|record| record.month == 1));
    }

    /// The latest departure of the year: 1,301 minutes after nine in the morning, Eastern Standard Time.
    #[test]
    fn instants_are_in_utc() {
        let year = read(&(1..=12)).unwrap();
        let latest = year.iter().max_by_key(|record| record.delay_min).unwrap();
        assert_eq!(&*latest.flight_id, "2013-01-09/HA/51/JFK");
        assert_eq!(latest.scheduled_at_min(), 8 * 1440 + 14 * 60);
        assert_eq!(latest.departed_at_min(), Some(8 * 1440 + 14 * 60 + 1301));
        assert_eq!(latest.landed_at_min(), Some(8 * 1440 + 14 * 60 + 1301 + 640));
        let summer = year
            .iter()
            .find(|r| &*r.flight_id == "2013-07-01/AA/1/JFK")
            .unwrap();
        assert_eq!(summer.departs_clock, 915);
        assert_eq!(summer.scheduled_at_min(), 181 * 1440 + 13 * 60 + 15);
    }
}
