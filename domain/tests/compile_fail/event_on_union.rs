#[derive(dormouse_domain::Event)]
union Deposited {
    cents: i64,
}

fn main() {}
