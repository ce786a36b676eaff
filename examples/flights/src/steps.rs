//! What happens in the year, in time order: one step a command, each with a command id of its own.
//!
//! The sort key: the minute (UTC) in which it happens, then the kind of step, then the row of the table. A flight is
//! scheduled 24 hours ahead, cancelled when it should have left, departs when it left, and arrives after its recorded
//! time in the air (see [`Record::landed_at_min`]); its aircraft takes off and lands with it.

use dormouse::CommandId;

use crate::data::{Record, YEAR_BEGINS_MS};

/// How long ahead a flight is put into the timetable.
const SCHEDULED_AHEAD_MIN: i32 = 1440;

/// A kind of step. The order decides between steps of one minute: aircraft land before others take off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Kind {
    Schedule,
    Arrive,
    Land,
    Cancel,
    Depart,
    TakeOff,
}

/// One command to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    /// When it happens, in minutes since 2013 began in UTC; negative for what was scheduled the year before.
    pub(crate) at_min: i32,
    pub(crate) kind: Kind,
    /// Which record it is about.
    pub(crate) record: u32,
}

/// All steps of these records, in time order.
pub(crate) fn steps(records: &[Record]) -> Vec<Step> {
    let mut steps = Vec::with_capacity(records.len() * 5);
    for (index, record) in records.iter().enumerate() {
        let index = u32::try_from(index).expect("the table has 336,776 rows");
        let mut push = |at_min, kind| {
            steps.push(Step {
                at_min,
                kind,
                record: index,
            });
        };
        push(record.scheduled_at_min() - SCHEDULED_AHEAD_MIN, Kind::Schedule);
        let Some(departed) = record.departed_at_min() else {
            push(record.scheduled_at_min(), Kind::Cancel);
            continue;
        };
        push(departed, Kind::Depart);
        if record.tail.is_some() {
            push(departed, Kind::TakeOff);
        }
        if let Some(landed) = record.landed_at_min() {
            push(landed, Kind::Arrive);
            if record.tail.is_some() {
                push(landed, Kind::Land);
            }
        }
    }
    steps.sort_unstable();
    steps
}

impl Step {
    /// The id of the aggregate that the command goes to.
    pub(crate) fn aggregate_id(self, record: &Record) -> &str {
        match (self.kind, &record.tail) {
            (Kind::TakeOff | Kind::Land, Some(tail)) => tail,
            _ => &record.flight_id,
        }
    }

    /// The command's id: the same whenever this step is sent. Its time is that of the step in 2013, so that ids
    /// ascend in each aggregate and a new one needs no look-up; the kind breaks ties within a minute.
    pub(crate) fn command_id(self, record: &Record) -> CommandId {
        let key = format!("{}#{:?}", record.flight_id, self.kind);
        let millis = YEAR_BEGINS_MS + i64::from(self.at_min) * 60_000 + i64::from(self.kind as u8);
        let millis = u64::try_from(millis).expect("2012 was after 1970");
        let random: [u8; 16] = CommandId::from_key(&key).as_u128().to_be_bytes();
        let random = random[..10].try_into().expect("ten of sixteen bytes");
        CommandId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

/// Deals the steps out to clients, in order: all steps of one aggregate go to one client.
pub(crate) fn shares(steps: &[Step], records: &[Record], clients: usize) -> Vec<Vec<Step>> {
    let mut shares = vec![Vec::with_capacity(steps.len() / clients * 5 / 4); clients];
    for &step in steps {
        let owner = stable_hash(step.aggregate_id(&records[step.record as usize])) % clients as u64;
        shares[usize::try_from(owner).expect("less than the clients")].push(step);
    }
    shares
}

/// FNV-1a: the same in every run of every build, for a restarted process must deal out the same shares.
pub(crate) fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;
    use crate::data::read;

    #[test]
    fn the_year_makes_1_658_199_commands() {
        let records = read(&(1..=12)).unwrap();
        let steps = steps(&records);
        let count = |kind| steps.iter().filter(|step| step.kind == kind).count();
        assert_eq!(count(Kind::Schedule), 336_776);
        assert_eq!(count(Kind::Depart), 328_521);
        assert_eq!(count(Kind::TakeOff), 328_521);
        assert_eq!(count(Kind::Arrive), 328_063);
        assert_eq!(count(Kind::Land), 328_063);
        assert_eq!(count(Kind::Cancel), 8_255);
        assert_eq!(steps.len(), 1_658_199);
    }

    #[test]
    fn command_ids_are_unique_ascend_in_each_aggregate_and_never_change() {
        let records = read(&(1..=1)).unwrap();
        let mut seen = HashSet::new();
        let mut newest: HashMap<&str, CommandId> = HashMap::new();
        for step in steps(&records) {
            let record = &records[step.record as usize];
            let id = step.command_id(record);
            assert!(id.is_time_ordered());
            assert!(seen.insert(id), "{id} twice");
            let before = newest.insert(step.aggregate_id(record), id);
            assert!(before.is_none_or(|before| before < id), "{before:?} then {id}");
        }
        let record = records
            .iter()
            .find(|record| &*record.flight_id == "2013-01-09/HA/51/JFK")
            .unwrap();
        let at_min = record.departed_at_min().unwrap();
        let departs = Step {
            at_min,
            kind: Kind::Depart,
            record: 0,
        };
        assert_eq!(
            departs.command_id(record).to_string(),
            "013c2443-5ce4-7baa-8fa4-7a235b8297cf"
        );
    }

    #[test]
    fn each_aggregate_belongs_to_one_client_and_keeps_its_order() {
        let records = read(&(1..=1)).unwrap();
        let steps = steps(&records);
        let shares = shares(&steps, &records, 7);
        assert_eq!(shares.iter().map(Vec::len).sum::<usize>(), steps.len());
        let mut owners: HashMap<&str, usize> = HashMap::new();
        for (client, share) in shares.iter().enumerate() {
            assert!(share.is_sorted());
            for step in share {
                let id = step.aggregate_id(&records[step.record as usize]);
                assert_eq!(*owners.entry(id).or_insert(client), client);
            }
        }
    }
}
