use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, dormouse_domain::Command)]
#[command(fingerprint(amount))]
struct Pay {
    payee: String,
    cents: i64,
}

#[derive(Serialize, Deserialize, dormouse_domain::Command)]
#[command(fingerprint(0, 0))]
struct Twice(u8);

#[derive(Serialize, Deserialize, dormouse_domain::Command)]
#[command(fingerprint(cents))]
enum Switch {
    On,
}

fn main() {}
