//! The derives of Dormouse: `Event` and `Command`.

use proc_macro::TokenStream;

/// Being built.
#[proc_macro_derive(Event, attributes(event, serde))]
pub fn derive_event(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}

/// Being built.
#[proc_macro_derive(Command, attributes(command))]
pub fn derive_command(_input: TokenStream) -> TokenStream {
    TokenStream::new()
}
