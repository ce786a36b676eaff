use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::Ident;

/// The path of what generated code calls, in the crate that uses the derive.
///
/// `dormouse-domain` comes first: where both are dependencies either would do, and inside `dormouse` itself only this
/// one is a dependency.
pub(crate) fn private() -> syn::Result<TokenStream> {
    let ident = |name: &str| Ident::new(name, Span::call_site());
    for (package, library) in [("dormouse-domain", "dormouse_domain"), ("dormouse", "dormouse")] {
        let name = match crate_name(package) {
            Ok(FoundCrate::Itself) => ident(library),
            Ok(FoundCrate::Name(name)) => ident(&name),
            Err(_) => continue,
        };
        return Ok(quote!(::#name::__private));
    }
    Err(syn::Error::new(
        Span::call_site(),
        "this derive needs `dormouse` (or `dormouse-domain`) among the dependencies in Cargo.toml",
    ))
}
