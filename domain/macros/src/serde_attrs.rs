//! Which of serde's attributes keep their meaning when an event's fields are stored, and which would lose data.

use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Token, parse_quote};

const LOSSY_ON_FIELDS: [&str; 5] = [
    "skip",
    "skip_serializing",
    "skip_deserializing",
    "skip_serializing_if",
    "flatten",
];

const REPLACING_ON_VARIANTS: [&str; 8] = [
    "skip",
    "skip_serializing",
    "skip_deserializing",
    "untagged",
    "other",
    "with",
    "serialize_with",
    "deserialize_with",
];

const REPLACING_ON_ENUMS: [&str; 7] = ["tag", "content", "untagged", "from", "try_from", "into", "remote"];

/// A field's serde attributes, all of which its generated field takes over.
pub(crate) fn of_field(attrs: &[Attribute]) -> syn::Result<Vec<&Attribute>> {
    refuse(attrs, &LOSSY_ON_FIELDS, |name| {
        format!(
            "`{name}` would lose data in a stored event, because bincode keeps neither names nor gaps; \
             store the field as it is, or leave it out of the event"
        )
    })?;
    Ok(attrs
        .iter()
        .filter(|attr| attr.path().is_ident("serde"))
        .collect())
}

/// What the generated struct of a variant's fields takes over from the variant's attributes.
pub(crate) fn of_variant(attrs: &[Attribute]) -> syn::Result<Vec<Attribute>> {
    refuse(attrs, &REPLACING_ON_VARIANTS, |name| {
        format!("`{name}` can't be stored: an event is its variant's name and all of its fields")
    })?;
    let metas = metas(attrs)?
        .into_iter()
        .filter(|meta| meta.path().is_ident("rename_all"));
    Ok(metas.map(|meta| parse_quote!(#[serde(#meta)])).collect())
}

/// What the generated struct of each variant's fields takes over from the enum's attributes.
pub(crate) fn of_enum(attrs: &[Attribute]) -> syn::Result<Vec<Attribute>> {
    refuse(attrs, &REPLACING_ON_ENUMS, |name| {
        format!(
            "`{name}` can't be stored: an event is stored as its variant's name and fields, by this derive"
        )
    })?;
    let mut taken_over = Vec::new();
    for meta in metas(attrs)? {
        if meta.path().is_ident("deny_unknown_fields") {
            taken_over.push(parse_quote!(#[serde(#meta)]));
        } else if meta.path().is_ident("rename_all_fields") {
            let of_struct = match meta {
                Meta::NameValue(pair) => {
                    let value = pair.value;
                    quote::quote!(rename_all = #value)
                }
                Meta::List(list) => {
                    let both = list.tokens;
                    quote::quote!(rename_all(#both))
                }
                Meta::Path(path) => path.into_token_stream(),
            };
            taken_over.push(parse_quote!(#[serde(#of_struct)]));
        }
    }
    Ok(taken_over)
}

fn refuse(attrs: &[Attribute], names: &[&str], message: impl Fn(&str) -> String) -> syn::Result<()> {
    for meta in metas(attrs)? {
        if let Some(name) = names.iter().find(|name| meta.path().is_ident(name)) {
            return Err(syn::Error::new(meta.span(), message(name)));
        }
    }
    Ok(())
}

fn metas(attrs: &[Attribute]) -> syn::Result<Vec<Meta>> {
    let mut metas = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        metas.extend(attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?);
    }
    Ok(metas)
}
