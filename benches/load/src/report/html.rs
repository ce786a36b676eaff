//! The page's frame and its looks.

/// A whole document.
pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title>\n<style>{STYLE}</style></head>\n\
         <body><main>{body}</main></body></html>\n",
        escape(title)
    )
}

/// A heading, a line on what follows, and what follows.
pub(super) fn section(title: &str, note: &str, content: &str) -> String {
    format!(
        "\n<section><h2>{}</h2><p class=\"note\">{}</p>{content}</section>",
        escape(title),
        escape(note)
    )
}

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    #[test]
    fn text_stays_text() {
        assert_eq!(
            super::escape("<b a=\"1\"> & </b>"),
            "&lt;b a=&quot;1&quot;&gt; &amp; &lt;/b&gt;"
        );
    }
}
