#[derive(dormouse_domain::Event)]
#[event(name = "entry")]
enum OnTheEnum {
    Deposited,
}

#[derive(dormouse_domain::Event)]
enum OnAField {
    Deposited {
        #[event(name = "c")]
        cents: i64,
    },
}

#[derive(dormouse_domain::Event)]
enum Unknown {
    #[event(rename = "deposited")]
    Deposited,
}

fn main() {}
