#[derive(dormouse_domain::Event)]
enum Entry {
    #[event(version = 3, upcast(DepositedV1))]
    Deposited { cents: i64 },
    #[event(version = 0)]
    Withdrawn { cents: i64 },
    #[event(version = 1, upcast(ClosedV1))]
    Closed,
    #[event(version = 2)]
    Opened,
    #[event(version = 5)]
    Moved,
}

fn main() {}
