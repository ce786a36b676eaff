//! The console's own files, embedded. All of them are served below one folder that is named after their contents, so
//! that a browser may keep them for ever, and asks for new ones as soon as any has changed.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Path;

use crate::problem::Problem;

/// A year, the longest that caches honour: the folder's name changes with the contents.
const KEPT: &str = "public, max-age=31536000, immutable";

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! files {
    ($($name:literal: $kind:expr,)*) => {
        &[$(($name, $kind, include_str!(concat!("assets/", $name)))),*]
    };
}

const FILES: &[(&str, &str, &str)] = files! {
    "console.css": CSS,
    "panes.css": CSS,
    "theme.js": JAVASCRIPT,
    "console.js": JAVASCRIPT,
    "live.js": JAVASCRIPT,
    "stream.js": JAVASCRIPT,
    "utc.js": JAVASCRIPT,
    "charts.js": JAVASCRIPT,
    "ticks.js": JAVASCRIPT,
    "keys.js": JAVASCRIPT,
    "actions.js": JAVASCRIPT,
    "aggregate.js": JAVASCRIPT,
    "refresh.js": JAVASCRIPT,
    "mark.svg": SVG,
};

/// The folder's name. Two builds with the same files give the same one.
pub(crate) static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
});

/// Where a page finds a file.
pub(crate) fn path(base: &str, name: &str) -> String {
    debug_assert!(FILES.iter().any(|(known, ..)| *known == name), "no asset {name}");
    format!("{base}/assets/{}/{name}", *FOLDER)
}

/// A file, whatever the folder is called: a page that was opened before a restart still gets its styles.
pub(crate) async fn file(path: Path<(String, String)>) -> HttpResponse {
    let (folder, name) = path.into_inner();
    let Some((_, kind, text)) = FILES.iter().find(|(known, ..)| *known == name) else {
        return Problem::not_found("there is no such file").into();
    };
    let kept = if folder == *FOLDER { KEPT } else { "no-store" };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, *kind))
        .insert_header((CACHE_CONTROL, kept))
        .body(*text)
}
