//! `#[derive(Event)]`: parsing here, code in `expand`.

mod expand;

use std::collections::HashMap;

use proc_macro2::{Span, TokenStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Field, Fields, Ident, LitInt, LitStr, Token, Type, parenthesized,
};

use crate::name::Name;
use crate::{krate, serde_attrs};

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let event = EventEnum::parse(input)?;
    Ok(event.expand(&krate::private()?))
}

/// A checked enum.
struct EventEnum<'a> {
    ident: &'a Ident,
    variants: Vec<Variant<'a>>,
}

struct Variant<'a> {
    ident: &'a Ident,
    named: bool,
    fields: Vec<EventField<'a>>,
    /// For the generated structs of its fields.
    serde_attrs: Vec<Attribute>,
    name: Name,
    /// The types of the fields in schema versions 1, 2, … before today's.
    upcast: Vec<Type>,
}

struct EventField<'a> {
    field: &'a Field,
    serde_attrs: Vec<&'a Attribute>,
}

impl<'a> EventEnum<'a> {
    fn parse(input: &'a DeriveInput) -> syn::Result<Self> {
        let variants = &variants_of(input)?.variants;
        if variants.is_empty() {
            return Err(syn::Error::new(
                input.ident.span(),
                "an event enum needs at least one variant",
            ));
        }
        if !input.generics.params.is_empty() {
            return Err(syn::Error::new(
                input.generics.span(),
                "an event can't be generic: what is stored must be one type for ever",
            ));
        }
        if let Some(attr) = input.attrs.iter().find(|attr| attr.path().is_ident("event")) {
            return Err(syn::Error::new(
                attr.span(),
                "`#[event(…)]` belongs on a variant, not on the enum",
            ));
        }
        let of_enum = serde_attrs::of_enum(&input.attrs)?;
        let variants = all(variants.iter().map(|variant| Variant::parse(variant, &of_enum)))?;
        refuse_duplicate_names(&variants)?;
        Ok(Self {
            ident: &input.ident,
            variants,
        })
    }
}

fn variants_of(input: &DeriveInput) -> syn::Result<&DataEnum> {
    let kind = match &input.data {
        Data::Enum(data) => return Ok(data),
        Data::Struct(_) => "a struct",
        Data::Union(_) => "a union",
    };
    let name = &input.ident;
    let message = format!(
        "`Event` is derived for an enum with one variant for each kind of event, and `{name}` is {kind}; \
         write `enum {name} {{ SomethingHappened {{ … }} }}`"
    );
    Err(syn::Error::new(name.span(), message))
}

impl<'a> Variant<'a> {
    fn parse(variant: &'a syn::Variant, of_enum: &[Attribute]) -> syn::Result<Self> {
        let options = Options::parse(&variant.attrs)?;
        options.check_version()?;
        let named = matches!(variant.fields, Fields::Named(_));
        let mut serde_attrs = serde_attrs::of_variant(&variant.attrs)?;
        if serde_attrs.is_empty() {
            serde_attrs.extend(of_enum.iter().cloned());
        } else {
            // Its own `rename_all` replaces the enum's.
            serde_attrs.extend(of_enum.iter().filter(|attr| !is_rename_all(attr)).cloned());
        }
        Ok(Self {
            ident: &variant.ident,
            named,
            fields: all(variant.fields.iter().map(EventField::parse))?,
            // They speak of the fields' names.
            serde_attrs: if named { serde_attrs } else { Vec::new() },
            name: options
                .name
                .map_or_else(|| Name::of(&variant.ident), Name::explicit)?,
            upcast: options.upcast,
        })
    }
}

fn is_rename_all(attr: &Attribute) -> bool {
    let mut found = false;
    // Only finds the word; the values were parsed before, and are skipped here.
    let _ = attr.parse_nested_meta(|meta| {
        found |= meta.path.is_ident("rename_all");
        Ok(())
    });
    found
}

impl<'a> EventField<'a> {
    fn parse(field: &'a Field) -> syn::Result<Self> {
        if let Some(attr) = field.attrs.iter().find(|attr| attr.path().is_ident("event")) {
            return Err(syn::Error::new(
                attr.span(),
                "`#[event(…)]` belongs on a variant, not on a field",
            ));
        }
        Ok(Self {
            field,
            serde_attrs: serde_attrs::of_field(&field.attrs)?,
        })
    }
}

/// What `#[event(…)]` says.
#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    version: Option<(u16, Span)>,
    upcast: Vec<Type>,
}

impl Options {
    fn parse(attrs: &[Attribute]) -> syn::Result<Self> {
        let mut options = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("event")) {
            attr.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    options.name = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("version") {
                    let literal: LitInt = meta.value()?.parse()?;
                    options.version = Some((literal.base10_parse()?, literal.span()));
                } else if meta.path.is_ident("upcast") {
                    let types;
                    parenthesized!(types in meta.input);
                    options.upcast = Punctuated::<Type, Token![,]>::parse_terminated(&types)?
                        .into_iter()
                        .collect();
                } else {
                    return Err(meta.error("unknown option; an event has `name`, `version` and `upcast(…)`"));
                }
                Ok(())
            })?;
        }
        Ok(options)
    }

    fn check_version(&self) -> syn::Result<()> {
        let Some((version, span)) = self.version else {
            return Ok(());
        };
        let known = self.upcast.len();
        if usize::from(version) == known + 1 {
            return Ok(());
        }
        let message = match version {
            0 => "schema versions begin at 1".to_owned(),
            _ if known >= usize::from(version) => {
                format!(
                    "`upcast` lists {known} older versions, so this one is {}",
                    known + 1
                )
            }
            2 => "version 2 needs an upcaster from version 1: add `upcast(OldFields)`".to_owned(),
            _ => {
                let newest_old = version - 1;
                let between = if newest_old > 2 { " …," } else { "" };
                format!(
                    "version {version} needs upcasters from versions 1 to {newest_old}: \
                     `upcast(OldFields1,{between} OldFields{newest_old})`; it lists {known}"
                )
            }
        };
        Err(syn::Error::new(span, message))
    }
}

fn refuse_duplicate_names(variants: &[Variant<'_>]) -> syn::Result<()> {
    let mut owners = HashMap::new();
    for variant in variants {
        let name = &variant.name.0;
        if let Some(first) = owners.insert(name.value(), variant.ident) {
            let message = format!("`{first}` is stored under the name {:?} already", name.value());
            return Err(syn::Error::new(name.span(), message));
        }
    }
    Ok(())
}

/// All values, or all errors together, so that the user sees each of them at once.
fn all<T>(results: impl Iterator<Item = syn::Result<T>>) -> syn::Result<Vec<T>> {
    let mut values = Vec::new();
    let mut errors: Option<syn::Error> = None;
    for result in results {
        match (result, &mut errors) {
            (Ok(value), _) => values.push(value),
            (Err(error), Some(errors)) => errors.combine(error),
            (Err(error), none) => *none = Some(error),
        }
    }
    errors.map_or(Ok(values), Err)
}
