#[derive(dormouse_domain::Event)]
enum Entry {
    #[event(name = "")]
    Empty,
    #[event(name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
            bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")]
    TooLong,
    #[event(name = "two\nlines")]
    Control,
}

#[derive(dormouse_domain::Event)]
enum Twice {
    Deposited,
    #[event(name = "Deposited")]
    PaidIn,
}

fn main() {}
