use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, dormouse_domain::Command)]
#[command(replies = i64)]
struct Unknown;

#[derive(Serialize, Deserialize, dormouse_domain::Command)]
#[command(version = 0)]
struct Version;

#[derive(Serialize, Deserialize, dormouse_domain::Command)]
#[command(name = "")]
struct Name;

#[derive(Serialize, Deserialize, dormouse_domain::Command)]
struct Generic<T>(T);

fn main() {}
