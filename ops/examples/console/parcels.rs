//! A small carrier: orders, the parcels that they cause, and a meter that is read all the time.

use dormouse_domain::{Aggregate, Codec, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use serde::{Deserialize, Serialize};

/// What a customer bought.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    customer: String,
    lines: Vec<Line>,
    total_cents: u64,
    paid: bool,
    status: Status,
}

/// A position of an order.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) article: String,
    pub(crate) quantity: u32,
    pub(crate) cents: u64,
}

#[derive(Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Status {
    #[default]
    New,
    Open,
    Dispatched,
    Cancelled,
}

#[derive(Event)]
pub(crate) enum OrderEvent {
    Placed {
        customer: String,
    },
    LineAdded {
        article: String,
        quantity: u32,
        cents: u64,
    },
    Paid {
        cents: u64,
        method: String,
    },
    Dispatched {
        parcel: String,
    },
    Cancelled {
        reason: String,
    },
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum OrderRefused {
    #[error("the order is closed")]
    Closed,
    #[error("{cents} cents are still to be paid")]
    Unpaid { cents: u64 },
}

impl Aggregate for Order {
    const TYPE: &'static str = "order";
    type Event = OrderEvent;
    type Error = OrderRefused;

    fn apply(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::Placed { customer } => {
                self.customer = customer.clone();
                self.status = Status::Open;
            }
            OrderEvent::LineAdded {
                article,
                quantity,
                cents,
            } => {
                self.total_cents += u64::from(*quantity) * cents;
                self.lines.push(Line {
                    article: article.clone(),
                    quantity: *quantity,
                    cents: *cents,
                });
            }
            OrderEvent::Paid { .. } => self.paid = true,
            OrderEvent::Dispatched { .. } => self.status = Status::Dispatched,
            OrderEvent::Cancelled { .. } => self.status = Status::Cancelled,
        }
    }

    fn weight_bytes(&self) -> Option<usize> {
        let lines = self
            .lines
            .iter()
            .map(|line| line.article.len() + size_of::<Line>());
        Some(self.customer.len() + lines.sum::<usize>())
    }
}

impl Order {
    fn open(&self) -> Result<(), OrderRefused> {
        match self.status {
            Status::New | Status::Open => Ok(()),
            Status::Dispatched | Status::Cancelled => Err(OrderRefused::Closed),
        }
    }
}

/// Adds an article; the first one places the order.
#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Add {
    pub(crate) customer: String,
    pub(crate) article: String,
    pub(crate) quantity: u32,
    pub(crate) cents: u64,
}

impl Handle<Add> for Order {
    fn handle(&self, add: Add, ctx: &CommandContext<'_>) -> Decided<Self, Add> {
        self.open()?;
        let Add {
            customer,
            article,
            quantity,
            cents,
        } = add;
        let line = OrderEvent::LineAdded {
            article,
            quantity,
            cents,
        };
        Ok(if ctx.is_new() {
            Decision::events([OrderEvent::Placed { customer }, line])
        } else {
            Decision::event(line)
        })
    }
}

#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Pay {
    pub(crate) method: String,
}

impl Handle<Pay> for Order {
    fn handle(&self, Pay { method }: Pay, _: &CommandContext<'_>) -> Decided<Self, Pay> {
        self.open()?;
        Ok(match self.paid {
            true => Decision::none(),
            false => Decision::event(OrderEvent::Paid {
                cents: self.total_cents,
                method,
            }),
        })
    }
}

#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Dispatch {
    pub(crate) parcel: String,
}

impl Handle<Dispatch> for Order {
    fn handle(&self, Dispatch { parcel }: Dispatch, _: &CommandContext<'_>) -> Decided<Self, Dispatch> {
        self.open()?;
        match self.paid {
            true => Ok(Decision::event(OrderEvent::Dispatched { parcel })),
            false => Err(OrderRefused::Unpaid {
                cents: self.total_cents,
            }),
        }
    }
}

#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Cancel {
    pub(crate) reason: String,
}

impl Handle<Cancel> for Order {
    fn handle(&self, Cancel { reason }: Cancel, _: &CommandContext<'_>) -> Decided<Self, Cancel> {
        self.open()?;
        Ok(Decision::event(OrderEvent::Cancelled { reason }))
    }
}

/// What is on its way.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Parcel {
    order: String,
    address: Address,
    grams: u32,
    route: Vec<Stop>,
    notes: Vec<String>,
    delivered_to: Option<String>,
}

#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) name: String,
    pub(crate) street: String,
    pub(crate) postcode: String,
    pub(crate) town: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct Stop {
    hub: String,
    scans: u32,
}

#[derive(Event)]
pub(crate) enum ParcelEvent {
    Booked { order: String, address: Address },
    Weighed { grams: u32 },
    Scanned { hub: String },
    Noted { text: String },
    Delivered { to: String },
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("the parcel was delivered to {to}")]
pub(crate) struct Delivered {
    to: String,
}

impl Aggregate for Parcel {
    const TYPE: &'static str = "parcel";
    const CODEC: Codec = Codec::Json;
    type Event = ParcelEvent;
    type Error = Delivered;

    fn apply(&mut self, event: &ParcelEvent) {
        match event {
            ParcelEvent::Booked { order, address } => {
                self.order = order.clone();
                self.address = address.clone();
            }
            ParcelEvent::Weighed { grams } => self.grams = *grams,
            ParcelEvent::Scanned { hub } => match self.route.last_mut() {
                Some(stop) if stop.hub == *hub => stop.scans += 1,
                _ => self.route.push(Stop {
                    hub: hub.clone(),
                    scans: 1,
                }),
            },
            ParcelEvent::Noted { text } => self.notes.push(text.clone()),
            ParcelEvent::Delivered { to } => self.delivered_to = Some(to.clone()),
        }
    }
}

impl Parcel {
    fn on_its_way(&self) -> Result<(), Delivered> {
        match &self.delivered_to {
            Some(to) => Err(Delivered { to: to.clone() }),
            None => Ok(()),
        }
    }
}

#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Book {
    pub(crate) order: String,
    pub(crate) address: Address,
    pub(crate) grams: u32,
}

impl Handle<Book> for Parcel {
    fn handle(&self, book: Book, _: &CommandContext<'_>) -> Decided<Self, Book> {
        self.on_its_way()?;
        let Book {
            order,
            address,
            grams,
        } = book;
        Ok(Decision::events([
            ParcelEvent::Booked { order, address },
            ParcelEvent::Weighed { grams },
        ]))
    }
}

#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Scan {
    pub(crate) hub: String,
}

impl Handle<Scan> for Parcel {
    fn handle(&self, Scan { hub }: Scan, _: &CommandContext<'_>) -> Decided<Self, Scan> {
        self.on_its_way()?;
        Ok(Decision::event(ParcelEvent::Scanned { hub }))
    }
}

#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Note {
    pub(crate) text: String,
}

impl Handle<Note> for Parcel {
    fn handle(&self, Note { text }: Note, _: &CommandContext<'_>) -> Decided<Self, Note> {
        self.on_its_way()?;
        Ok(Decision::event(ParcelEvent::Noted { text }))
    }
}

#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Deliver {
    pub(crate) to: String,
}

impl Handle<Deliver> for Parcel {
    fn handle(&self, Deliver { to }: Deliver, _: &CommandContext<'_>) -> Decided<Self, Deliver> {
        self.on_its_way()?;
        Ok(Decision::event(ParcelEvent::Delivered { to }))
    }
}

/// A belt's meter: few fields, very many events.
#[derive(Default, Clone, Serialize, Deserialize)]
pub(crate) struct Meter {
    readings: u64,
    last: u64,
    highest: u64,
    sum: u64,
}

#[derive(Event)]
pub(crate) enum MeterEvent {
    Read { value: u64 },
}

impl Aggregate for Meter {
    const TYPE: &'static str = "meter";
    type Event = MeterEvent;
    type Error = Never;

    fn apply(&mut self, MeterEvent::Read { value }: &MeterEvent) {
        self.readings += 1;
        self.last = *value;
        self.highest = self.highest.max(*value);
        self.sum += value;
    }

    fn weight_bytes(&self) -> Option<usize> {
        Some(0) // nothing on the heap
    }
}

/// So many readings in one commit.
#[derive(Serialize, Deserialize, Command)]
pub(crate) struct Record {
    pub(crate) values: Vec<u64>,
}

impl Handle<Record> for Meter {
    fn handle(&self, Record { values }: Record, _: &CommandContext<'_>) -> Decided<Self, Record> {
        Ok(Decision::events(
            values.into_iter().map(|value| MeterEvent::Read { value }),
        ))
    }
}
