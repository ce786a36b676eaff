#[derive(dormouse_domain::Event)]
struct Deposited {
    cents: i64,
}

fn main() {}
