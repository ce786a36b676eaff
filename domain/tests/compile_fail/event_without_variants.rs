#[derive(dormouse_domain::Event)]
enum Entry {}

fn main() {}
