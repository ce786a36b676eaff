use dormouse_domain::{Command, CommandFingerprint, SchemaVersion};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Command)]
struct Close;

#[derive(Serialize, Deserialize, Command)]
#[command(reply = Vec<i64>, name = "pay", version = 2, fingerprint(payee, cents))]
struct Pay {
    payee: String,
    cents: i64,
    attempt: u32,
}

#[derive(Serialize, Deserialize, Command)]
#[command(fingerprint(1))]
struct Pair(u8, u8);

#[derive(Serialize, Deserialize, Command)]
enum Switch {
    On,
    Off { after_seconds: u8 },
}

fn fingerprint(command: &impl Command) -> CommandFingerprint {
    command.fingerprint().unwrap()
}

fn replies_with<C: Command<Reply = R>, R>() {}

#[test]
fn defaults_and_options() {
    assert_eq!((Close::NAME, Close::VERSION), ("Close", SchemaVersion::FIRST));
    assert_eq!((Pay::NAME, Pay::VERSION), ("pay", SchemaVersion::new(2)));
    replies_with::<Close, ()>();
    replies_with::<Pay, Vec<i64>>();
}

#[test]
fn all_fields_count_unless_some_are_chosen() {
    let first = fingerprint(&Switch::Off { after_seconds: 1 });
    assert!(fingerprint(&Switch::Off { after_seconds: 1 }).same_command(&first));
    assert!(!fingerprint(&Switch::Off { after_seconds: 2 }).same_command(&first));
    assert!(!fingerprint(&Switch::On).same_command(&first));

    let pay = |cents, attempt| {
        fingerprint(&Pay {
            payee: "Ada".into(),
            cents,
            attempt,
        })
    };
    assert!(pay(5, 2).same_command(&pay(5, 1)));
    assert!(!pay(6, 1).same_command(&pay(5, 1)));

    assert!(fingerprint(&Pair(1, 2)).same_command(&fingerprint(&Pair(9, 2))));
    assert!(!fingerprint(&Pair(1, 2)).same_command(&fingerprint(&Pair(1, 3))));
}

#[test]
fn another_name_is_another_command_and_across_versions_the_name_decides() {
    let pay = fingerprint(&Pay {
        payee: "Ada".into(),
        cents: 5,
        attempt: 0,
    });
    let renamed = CommandFingerprint {
        name: pay.name + 1,
        ..pay
    };
    assert!(!pay.same_command(&renamed));
    let of_version_1 = CommandFingerprint {
        version: SchemaVersion::FIRST,
        fields: 0,
        ..pay
    };
    assert!(pay.same_command(&of_version_1));
}

#[test]
fn fingerprints_never_change() {
    // They are stored: another value here would turn every retry across the upgrade away.
    let pay = fingerprint(&Pay {
        payee: "Ada".into(),
        cents: 5,
        attempt: 0,
    });
    assert_eq!((pay.name, pay.fields), (1489693726, 5993962090281951201));
    let close = fingerprint(&Close);
    assert_eq!((close.name, close.fields), (3953462999, 3244421341483603138));
}
