//! How far reading has come, on a terminal's bar.

use dormouse_persistence::StoreOptions;
use indicatif::{ProgressBar, ProgressStyle};

/// Options that move the bar; it is shown on a terminal only.
pub(crate) fn shown(what: &'static str) -> (StoreOptions, ProgressBar) {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{prefix} {bar:40} offset {pos} of {len} {elapsed_precise}");
    bar.set_style(style.expect("the template is valid"));
    bar.set_prefix(what);
    let moved = bar.clone();
    let options = StoreOptions::default().progress(move |progress| {
        moved.set_length(progress.end.get());
        moved.set_position(progress.at.get());
    });
    (options, bar)
}
