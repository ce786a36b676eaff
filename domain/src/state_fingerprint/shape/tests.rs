use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU8;

use serde::Deserialize;
use uuid::Uuid;

use super::of;
use crate::{AggregateId, CommandId, Timestamp};

#[track_caller]
fn check<T: serde::de::DeserializeOwned>(shape: &str) {
    assert_eq!(of::<T>(false).as_deref(), Some(shape));
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Account {
    cents: i64,
    names: Vec<String>,
    by_day: BTreeMap<u16, Option<f64>>,
    status: Status,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Status {
    Open,
    Frozen { since: Timestamp },
    Closed(bool, char),
}

#[test]
fn structs_and_every_variant_of_nested_enums() {
    let account =
        |status: &str| format!("{{cents:i64,names:[str,],by_day:[map:u16,?f64,],status:{status},}}");
    check::<Account>(
        &[
            account("<0 of 3: Open>"),
            account("<1 of 3: Frozen{since:u64,}>"),
            account("<2 of 3: Closed(bool,char,)>"),
        ]
        .concat(),
    );
}

#[test]
fn enums_behind_options_and_sequences_are_explored() {
    check::<Vec<Option<Result<u8, ()>>>>("[?<0 of 2: Oku8>,][?<1 of 2: Err()>,]");
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Node {
    n: u8,
    left: Option<Box<Node>>,
    right: Option<Box<Node>>,
    more: Vec<Node>,
}

#[test]
fn a_struct_inside_of_itself_is_followed_once() {
    let inner = "{n:u8,left:?,right:?,more:[],}";
    check::<Node>(&format!("{{n:u8,left:?{inner},right:?{inner},more:[{inner},],}}"));
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Expression {
    Add(Box<Expression>, Box<Expression>),
    Negate(Box<Expression>),
    Number(i64),
    Call {
        name: String,
        arguments: Vec<Expression>,
    },
}

#[test]
fn an_enum_inside_of_itself_takes_a_variant_that_ends() {
    let number = "<2 of 4: Numberi64>";
    check::<Expression>(
        &[
            // Before an ending variant is known, it looks for one.
            format!("<0 of 4: Add({number},{number},)>"),
            format!("<1 of 4: Negate{number}>"),
            number.to_owned(),
            format!("<3 of 4: Call{{name:str,arguments:[{number},],}}>"),
        ]
        .concat(),
    );
}

#[test]
fn types_that_check_what_they_read() {
    check::<AggregateId>("str");
    check::<CommandId>("bytes");
    check::<(NonZeroU8, HashSet<[u8; 2]>)>("(u8,[(u8,u8,),],)");
    assert_eq!(of::<(AggregateId, Uuid)>(true).as_deref(), Some("(str,str,)"));
}

#[test]
fn what_cannot_be_told() {
    assert_eq!(of::<serde_json::Value>(false), None);
    assert_eq!(of::<crate::Never>(false), None);
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Endless(Box<Endless>);

#[test]
fn a_type_without_values_ends() {
    assert_eq!(of::<Endless>(false), None);
}
