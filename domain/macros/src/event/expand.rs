use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Index, LitStr, Member};

use super::{EventEnum, Variant};

impl EventEnum<'_> {
    /// The implementation, with the generated structs it uses, in a scope of its own. `private` is the path of what
    /// it calls.
    pub(super) fn expand(&self, private: &TokenStream) -> TokenStream {
        let enum_ident = self.ident;
        let variants = || self.variants.iter();
        let structs = variants().map(|variant| variant.structs(private));
        let types = variants().map(|variant| variant.event_type(private));
        let type_arms = variants().map(|variant| variant.type_arm(private));
        let encode_arms = variants().map(Variant::encode_arm);
        let decode_arms = variants().map(|variant| variant.decode_arm(private));
        quote! {
            const _: () = {
                #(#structs)*

                #[automatically_derived]
                impl #private::Event for #enum_ident {
                    const TYPES: &'static [#private::EventType] = &[#(#types),*];

                    fn event_type(&self) -> #private::EventType {
                        match self { #(#type_arms),* }
                    }

                    fn encode(
                        &self,
                        codec: #private::Codec,
                        out: &mut #private::Vec<u8>,
                        limit: #private::SizeLimit,
                    ) -> #private::Result<(), #private::CodecError> {
                        match self { #(#encode_arms),* }
                    }

                    fn decode(
                        name: &#private::str,
                        version: #private::SchemaVersion,
                        codec: #private::Codec,
                        payload: &[u8],
                    ) -> #private::Result<Self, #private::EventDecodeError> {
                        match name {
                            #(#decode_arms)*
                            _ => #private::Err(#private::unknown_name::<Self>(name)),
                        }
                    }
                }
            };
        }
    }
}

impl Variant<'_> {
    fn version(&self) -> u16 {
        u16::try_from(self.upcast.len() + 1).expect("nobody writes 65,535 upcasters")
    }

    fn event_type(&self, private: &TokenStream) -> TokenStream {
        let (name, version) = (&self.name.0, self.version());
        quote!(#private::EventType::new(#name, #private::SchemaVersion::new(#version)))
    }

    fn type_arm(&self, private: &TokenStream) -> TokenStream {
        let (ident, event_type) = (self.ident, self.event_type(private));
        quote!(Self::#ident { .. } => #event_type)
    }

    /// The struct that reads the fields, and the one that writes them from where they are.
    fn structs(&self, private: &TokenStream) -> TokenStream {
        if self.fields.is_empty() {
            return TokenStream::new();
        }
        let serde = LitStr::new(&format!("{private}::serde").replace(' ', ""), self.ident.span());
        // The name that errors speak of.
        let name = LitStr::new(&self.name.0.value(), self.ident.span());
        let attrs = &self.serde_attrs;
        let (read, write) = (self.read_ident(), self.write_ident());
        let read_fields = self.struct_body(ToTokens::to_token_stream);
        let write_fields = self.struct_body(|ty| quote!(&'__event #ty));
        quote! {
            #[derive(#private::serde::Deserialize)]
            #[serde(crate = #serde, rename = #name)]
            #(#attrs)*
            #[allow(non_camel_case_types)]
            struct #read #read_fields

            #[derive(#private::serde::Serialize)]
            #[serde(crate = #serde, rename = #name)]
            #(#attrs)*
            #[allow(non_camel_case_types)]
            struct #write<'__event> #write_fields
        }
    }

    fn struct_body(&self, field_type: impl Fn(&syn::Type) -> TokenStream) -> TokenStream {
        let fields = self.fields.iter().map(|field| {
            let (attrs, ty) = (&field.serde_attrs, field_type(&field.field.ty));
            match &field.field.ident {
                Some(ident) => quote!(#(#attrs)* #ident: #ty),
                None => quote!(#(#attrs)* #ty),
            }
        });
        if self.named {
            quote!({ #(#fields),* })
        } else {
            quote!(( #(#fields),* );)
        }
    }

    fn encode_arm(&self) -> TokenStream {
        let ident = self.ident;
        if self.fields.is_empty() {
            return quote!(Self::#ident { .. } => codec.encode(&(), out, limit));
        }
        let (write, fields) = (self.write_ident(), self.bindings());
        quote!(Self::#ident { #fields } => codec.encode(&#write { #fields }, out, limit))
    }

    fn decode_arm(&self, private: &TokenStream) -> TokenStream {
        let (name, current) = (&self.name.0, self.version());
        let decode = quote!(#private::decode_fields(name, version, codec, payload)?);
        let upcasts = (1u16..).zip(&self.upcast).map(|(version, oldest)| {
            let steps = self.upcast_steps(usize::from(version), private);
            quote! {
                #version => {
                    let fields: #oldest = #decode;
                    #steps
                }
            }
        });
        let today = self.construct(&decode, private);
        quote! {
            #name => match version.get() {
                #(#upcasts)*
                #current => { #today }
                _ => #private::Err(#private::unknown_version(name, version, #current)),
            },
        }
    }

    /// From the fields of version `from` through those after it to the enum.
    fn upcast_steps(&self, from: usize, private: &TokenStream) -> TokenStream {
        let steps = self.upcast[from - 1..].windows(2).map(|pair| {
            let (old, next) = (&pair[0], &pair[1]);
            // With the span of the type in the attribute, so that an error about a missing `From` points there.
            quote_spanned!(old.span()=> let fields = #private::upcast::<#old, #next>(fields);)
        });
        let last = self
            .upcast
            .last()
            .map(|old| quote_spanned!(old.span()=> #private::upcast::<#old, Self>(fields)));
        quote!(#(#steps)* #private::Ok(#last))
    }

    /// Reads today's fields and builds the variant.
    fn construct(&self, decode: &TokenStream, private: &TokenStream) -> TokenStream {
        let ident = self.ident;
        if self.fields.is_empty() {
            return quote!(let () = #decode; #private::Ok(Self::#ident {}));
        }
        let (read, fields) = (self.read_ident(), self.bindings());
        quote! {
            let #read { #fields } = #decode;
            #private::Ok(Self::#ident { #fields })
        }
    }

    /// `cents: field_0, note: field_1`, or `0: field_0, 1: field_1`: takes apart and puts together alike. The bindings
    /// are ours, so that a field's name can't hide a variable of the generated code.
    fn bindings(&self) -> TokenStream {
        let bindings = (0u32..).zip(&self.fields).map(|(index, field)| {
            let binding = format_ident!("field_{index}");
            let member = match &field.field.ident {
                Some(ident) => Member::Named(ident.clone()),
                None => Member::Unnamed(Index {
                    index,
                    span: field.field.span(),
                }),
            };
            quote!(#member: #binding)
        });
        quote!(#(#bindings),*)
    }

    /// Two prefixes, neither of them serde's `__`: whatever variants are called, these names meet neither each other
    /// nor what serde's derives name for themselves.
    fn read_ident(&self) -> Ident {
        format_ident!("DormouseRead{}", self.ident)
    }

    fn write_ident(&self) -> Ident {
        format_ident!("DormouseWrite{}", self.ident)
    }
}
