//! What customers and hubs do all day, seeded: the same parcels each time.

use std::ops::ControlFlow;
use std::time::Duration;

use dormouse_domain::{CommandError, CommandId, Offset, TraceContext};
use dormouse_runtime::Dormouse;
use uuid::Uuid;

use crate::parcels::{
    Add, Address, Book, Cancel, Deliver, Dispatch, Meter, Note, Order, Parcel, Pay, Record, Scan,
};

const ARTICLES: [(&str, u64); 6] = [
    ("Hazelnuts, 1 kg", 1_290),
    ("Acorn coffee", 849),
    ("Nest wool", 2_400),
    ("Beechnut oil", 1_575),
    ("Winter blanket", 5_900),
    ("Alarm clock, April", 3_450),
];
const HUBS: [&str; 6] = [
    "Leipzig 2",
    "Hannover",
    "Kassel",
    "Würzburg",
    "München Ost",
    "Passau",
];
const PEOPLE: [(&str, &str); 5] = [
    ("Ada Haselmaus", "Nussweg 3"),
    ("Ben Bilch", "Am Hang 17"),
    ("Clara Sieben", "Schläfergasse 7"),
    ("Dorin Laub", "Eichenallee 112"),
    ("Emmy Winter", "Kugelbau 1"),
];
/// Readings in one commit of the meter.
const READINGS: u64 = 500;

/// A generator of numbers (SplitMix64, Steele et al.): no crate for an example.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Reads the meter `belt-7` that often.
pub(crate) async fn readings(runtime: &Dormouse, wanted: u64) -> anyhow::Result<()> {
    let meter = runtime.entity::<Meter>("belt-7")?;
    let mut numbers = Numbers(7);
    for _ in 0..wanted / READINGS {
        let values = (0..READINGS).map(|_| 900 + numbers.below(200) as u64).collect();
        meter.execute(Record { values }).await?;
    }
    Ok(())
}

/// One customer, who orders for ever; `pause` is the longest rest between two commands.
pub(crate) async fn customer(runtime: Dormouse, number: u64, pause: Duration) -> anyhow::Result<()> {
    let mut numbers = Numbers(number);
    loop {
        let id = format!(
            "2026-11-{:02}-{:05}",
            1 + numbers.below(22),
            numbers.below(40_000)
        );
        let order = runtime.entity::<Order>(id.as_str())?;
        let (name, _) = numbers.one(&PEOPLE);
        let correlation = Uuid::from_u64_pair(number, numbers.0);
        for _ in 0..=numbers.below(3) {
            let (article, cents) = numbers.one(&ARTICLES);
            let add = Add {
                customer: name.into(),
                article: article.into(),
                quantity: 1 + numbers.below(3) as u32,
                cents,
            };
            let command = CommandId::now();
            decided(
                order
                    .execute(add)
                    .id(command)
                    .correlation(correlation)
                    .header("channel", "web")
                    .await,
            )?;
            rest(&mut numbers, pause).await;
        }
        let trace = TraceContext {
            trace_id: correlation.as_u128() | 1,
            span_id: number + 1,
            flags: 1,
            state: None,
        };
        match numbers.below(10) {
            0 => decided(
                order
                    .execute(Cancel {
                        reason: "changed my mind".into(),
                    })
                    .correlation(correlation)
                    .await,
            )?,
            1 => {}
            _ => {
                let pay = CommandId::now();
                for _ in 0..=usize::from(numbers.below(12) == 0) {
                    // sent twice now and then, as clients do: the second time it is answered with the first reply
                    let method = "card".into();
                    decided(
                        order
                            .execute(Pay { method })
                            .id(pay)
                            .correlation(correlation)
                            .trace(trace.clone())
                            .await,
                    )?;
                }
            }
        }
        let parcel = format!("P-{:06}", numbers.below(200_000));
        decided(
            order
                .execute(Dispatch { parcel })
                .id(CommandId::now())
                .correlation(correlation)
                .trace(trace)
                .await,
        )?;
        order.query(|_| ()).await?;
        rest(&mut numbers, pause).await;
    }
}

/// Books a parcel for each order that is dispatched, and moves it along: what a process manager will do.
pub(crate) async fn carrier(runtime: Dormouse, pause: Duration) -> anyhow::Result<()> {
    let mut follower = runtime.store().follow(Offset::new(1))?;
    let mut numbers = Numbers(1);
    loop {
        follower.wait().await?;
        let mut dispatched = Vec::new();
        follower.read(&mut |commit| {
            for event in commit.events().filter(|event| event.name == "Dispatched") {
                let metadata = commit.metadata().unwrap_or_default();
                dispatched.push((commit.id().to_owned(), commit.event_id(&event), metadata));
            }
            if dispatched.len() < 64 {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        for (order, cause, metadata) in dispatched {
            let id = format!("P-{:06}", numbers.below(60_000));
            let parcel = runtime.entity::<Parcel>(id.as_str())?;
            let (name, street) = numbers.one(&PEOPLE);
            let address = Address {
                name: name.into(),
                street: street.into(),
                postcode: "94032".into(),
                town: "Passau".into(),
            };
            let book = Book {
                order,
                address,
                grams: 200 + numbers.below(4_000) as u32,
            };
            let correlation = metadata.correlation.unwrap_or_default();
            let id = CommandId::now();
            let booked = parcel
                .execute(book)
                .id(id)
                .correlation(correlation)
                .caused_by(cause.into());
            decided(booked.header("carrier", "bilch-express").await)?;
            for hub in HUBS.iter().take(1 + numbers.below(HUBS.len())) {
                decided(
                    parcel
                        .execute(Scan { hub: (*hub).into() })
                        .id(CommandId::now())
                        .correlation(correlation)
                        .await,
                )?;
                rest(&mut numbers, pause).await;
            }
            if numbers.below(6) == 0 {
                decided(
                    parcel
                        .execute(Note {
                            text: "left with a neighbour".into(),
                        })
                        .await,
                )?;
            }
            if numbers.below(3) > 0 {
                decided(parcel.execute(Deliver { to: name.into() }).await)?;
            }
        }
    }
}

/// The one that is shown: an order, and the parcel that it caused.
pub(crate) const PARCEL: &str = "P-700007";

pub(crate) async fn one_parcel(runtime: &Dormouse) -> anyhow::Result<()> {
    let (name, street) = PEOPLE[2];
    let correlation = Uuid::from_u64_pair(7, 42);
    let trace = TraceContext {
        trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        span_id: 0x00f0_67aa_0ba9_02b7,
        flags: 1,
        state: None,
    };
    let id = "2026-11-22-70007";
    let order = runtime.entity::<Order>(id)?;
    let add = Add {
        customer: name.into(),
        article: "Winter blanket".into(),
        quantity: 1,
        cents: 5_900,
    };
    order.execute(add).correlation(correlation).await?;
    order
        .execute(Pay {
            method: "card".into(),
        })
        .correlation(correlation)
        .await?;
    let dispatch = Dispatch {
        parcel: PARCEL.into(),
    };
    let receipt = order
        .execute(dispatch)
        .id(CommandId::now())
        .correlation(correlation)
        .receipt()
        .await?;
    let stream = dormouse_domain::StreamId::new(
        dormouse_domain::AggregateType::from_static("order"),
        id.try_into()?,
    );
    let cause = runtime.admin().events(&stream, receipt.version, 1).await?;
    let cause = cause
        .events
        .first()
        .ok_or_else(|| anyhow::anyhow!("its event is durable"))?
        .id;
    let parcel = runtime.entity::<Parcel>(PARCEL)?;
    let address = Address {
        name: name.into(),
        street: street.into(),
        postcode: "94032".into(),
        town: "Passau".into(),
    };
    let book = Book {
        order: id.into(),
        address,
        grams: 2_140,
    };
    let booked = parcel
        .execute(book)
        .id(CommandId::now())
        .correlation(correlation)
        .caused_by(cause.into());
    booked
        .trace(trace.clone())
        .header("carrier", "bilch-express")
        .await?;
    for hub in [0, 2, 2, 3, 4, 4, 5] {
        let scan = parcel
            .execute(Scan {
                hub: HUBS[hub].into(),
            })
            .id(CommandId::now())
            .correlation(correlation);
        scan.caused_by(cause.into())
            .trace(trace.clone())
            .header("carrier", "bilch-express")
            .await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    parcel
        .execute(Deliver { to: name.into() })
        .id(CommandId::now())
        .correlation(correlation)
        .await?;
    Ok(())
}

/// A refusal is an answer, too.
fn decided<R, E: std::error::Error + Send + Sync + 'static>(
    answer: Result<R, CommandError<E>>,
) -> anyhow::Result<()> {
    match answer {
        Ok(_) | Err(CommandError::Refused(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn rest(numbers: &mut Numbers, longest: Duration) {
    if !longest.is_zero() {
        tokio::time::sleep(longest * numbers.below(100) as u32 / 100).await;
    }
}
