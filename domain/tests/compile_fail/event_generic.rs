#[derive(dormouse_domain::Event)]
enum Entry<T> {
    Deposited { amount: T },
}

fn main() {}
