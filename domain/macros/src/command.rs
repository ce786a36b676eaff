//! `#[derive(Command)]`.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Fields, LitInt, Member, Token, Type, parenthesized, parse_quote};

use crate::krate;
use crate::name::Name;

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    if let Data::Union(_) = input.data {
        return Err(syn::Error::new(
            input.ident.span(),
            "`Command` is derived for a struct or an enum",
        ));
    }
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new(
            input.generics.span(),
            "a command can't be generic: its name and fields identify it for ever",
        ));
    }
    let options = Options::parse(&input.attrs)?;
    let private = krate::private()?;
    let (ident, reply) = (&input.ident, &options.reply);
    let name = options.name.map_or_else(|| Name::of(ident), Ok)?.0;
    let version = options.version;
    let fingerprint = options
        .fingerprint
        .map(|fields| fingerprint(input, &fields, &private))
        .transpose()?;
    Ok(quote! {
        #[automatically_derived]
        impl #private::Command for #ident {
            const NAME: &'static #private::str = #name;
            const VERSION: #private::SchemaVersion = #private::SchemaVersion::new(#version);
            type Reply = #reply;
            #fingerprint
        }
    })
}

/// What `#[command(…)]` says.
struct Options {
    reply: Type,
    name: Option<Name>,
    version: u16,
    fingerprint: Option<Punctuated<Member, Token![,]>>,
}

impl Options {
    fn parse(attrs: &[Attribute]) -> syn::Result<Self> {
        let mut options = Self {
            reply: parse_quote!(()),
            name: None,
            version: 1,
            fingerprint: None,
        };
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("command")) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("reply") {
                    options.reply = meta.value()?.parse()?;
                } else if meta.path.is_ident("name") {
                    options.name = Some(Name::explicit(meta.value()?.parse()?)?);
                } else if meta.path.is_ident("version") {
                    options.version = version(&meta.value()?.parse()?)?;
                } else if meta.path.is_ident("fingerprint") {
                    let fields;
                    parenthesized!(fields in meta.input);
                    options.fingerprint = Some(Punctuated::parse_terminated(&fields)?);
                } else {
                    return Err(meta.error(
                        "unknown option; a command has `reply`, `name`, `version` and `fingerprint(…)`",
                    ));
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

fn version(literal: &LitInt) -> syn::Result<u16> {
    match literal.base10_parse()? {
        0 => Err(syn::Error::new(literal.span(), "schema versions begin at 1")),
        version => Ok(version),
    }
}

fn fingerprint(
    input: &DeriveInput,
    chosen: &Punctuated<Member, Token![,]>,
    private: &TokenStream,
) -> syn::Result<TokenStream> {
    check_fields(input, chosen)?;
    // Pairs of pairs: tuples of any length, which bincode writes as their parts in order.
    let fields = chosen
        .iter()
        .rev()
        .fold(quote!(()), |rest, field| quote!((&self.#field, #rest)));
    Ok(quote! {
        fn fingerprint(&self) -> #private::Result<#private::CommandFingerprint, #private::CodecError> {
            #private::CommandFingerprint::of::<Self, _>(&#fields)
        }
    })
}

fn check_fields(input: &DeriveInput, chosen: &Punctuated<Member, Token![,]>) -> syn::Result<()> {
    let Data::Struct(data) = &input.data else {
        let message = "`fingerprint(…)` picks fields of a struct; for an enum implement `Command` by hand";
        return Err(syn::Error::new(chosen.span(), message));
    };
    let fields: Vec<Member> = data.fields.members().collect();
    let mut seen = HashSet::new();
    for field in chosen {
        if !fields.contains(field) {
            return Err(syn::Error::new(field.span(), unknown_field(input, &data.fields)));
        }
        if !seen.insert(field) {
            return Err(syn::Error::new(field.span(), "this field is chosen already"));
        }
    }
    Ok(())
}

fn unknown_field(input: &DeriveInput, fields: &Fields) -> String {
    let known: Vec<String> = fields
        .members()
        .map(|member| match member {
            Member::Named(ident) => ident.to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        })
        .collect();
    format!(
        "`{}` has no such field; it has: {}",
        input.ident,
        known.join(", ")
    )
}
