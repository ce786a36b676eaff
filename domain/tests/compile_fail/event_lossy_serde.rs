#[derive(dormouse_domain::Event)]
enum OnFields {
    A {
        #[serde(skip)]
        n: u8,
    },
    B {
        #[serde(skip_serializing)]
        n: u8,
    },
    C {
        #[serde(default, skip_deserializing)]
        n: u8,
    },
    D {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        n: Option<u8>,
    },
    E {
        #[serde(flatten)]
        n: std::collections::BTreeMap<String, u8>,
    },
}

#[derive(dormouse_domain::Event)]
enum OnVariants {
    #[serde(skip)]
    A,
    #[serde(untagged)]
    B,
}

#[derive(dormouse_domain::Event)]
#[serde(tag = "type")]
enum Tagged {
    A,
}

#[derive(dormouse_domain::Event)]
#[serde(untagged)]
enum Untagged {
    A,
}

fn main() {}
