use syn::{Ident, LitStr, ext::IdentExt};

/// `EVENT_NAME_BYTES_MAX` of the domain, which can't be a dependency here; a test there compares the two.
const BYTES_MAX: usize = 128;

/// A stored name and where it was written, for errors.
pub(crate) struct Name(pub(crate) LitStr);

impl Name {
    /// The name in an attribute.
    pub(crate) fn explicit(literal: LitStr) -> syn::Result<Self> {
        let problem = match literal.value() {
            name if name.is_empty() => "the name is empty; it takes 1 to 128 bytes".to_owned(),
            name if name.len() > BYTES_MAX => {
                format!("the name has {} bytes; the limit is {BYTES_MAX}", name.len())
            }
            name if name.contains(char::is_control) => {
                "the name has a control character; remove it".to_owned()
            }
            _ => return Ok(Self(literal)),
        };
        Err(syn::Error::new(literal.span(), problem))
    }

    /// The name of the item itself.
    pub(crate) fn of(ident: &Ident) -> syn::Result<Self> {
        Self::explicit(LitStr::new(&ident.unraw().to_string(), ident.span()))
    }
}
