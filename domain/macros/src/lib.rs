//! The derives of Dormouse. Use them through `dormouse` or `dormouse-domain`, which re-export them beside the traits
//! of the same names.

mod command;
mod event;
mod krate;
mod name;
mod serde_attrs;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Event` for an enum: one variant for each kind of event, stored under its own name and schema version,
/// with its fields as payload. Generated code reads and writes the fields with serde; the enum itself need not be
/// `Serialize`.
///
/// On a variant, `#[event(…)]` takes
///
/// - `name = "…"`: the stored name, 1 to 128 bytes without control characters; the variant's name if absent. Keep it
///   when you rename the variant.
/// - `upcast(V1, V2)`: types with the fields of schema versions 1, 2, … before today's. Each is `Deserialize` and turns
///   into the next (`V2: From<V1>`), the last one into the enum.
/// - `version = 3`: today's schema version, for the reader; always one more than the types in `upcast`.
///
/// serde's attributes on fields apply, except those which lose data in a stored event: `skip`, `skip_serializing`,
/// `skip_deserializing`, `skip_serializing_if` and `flatten`; on variants and the enum `tag`, `content`, `untagged`
/// and everything else that replaces the enum's own encoding. Of the others on variants and the enum, `rename_all`,
/// `rename_all_fields` and `deny_unknown_fields` apply to the fields; `rename` and `alias` don't change the stored name.
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    event::expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

/// Implements `Command` for a struct or an enum that is `Serialize` and `Deserialize`.
///
/// `#[command(…)]` takes
///
/// - `reply = Type`: what the caller gets when the command was done; `()` if absent.
/// - `name = "…"`: the command's name; the type's name if absent.
/// - `version = 2`: the version of the fields' schema, from 1. Raise it when the fields change: a retry is then told
///   from a reused id by the id alone.
/// - `fingerprint(a, b)`: the fields that a retry has in common with the first attempt; all if absent.
#[proc_macro_derive(Command, attributes(command))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    command::expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
