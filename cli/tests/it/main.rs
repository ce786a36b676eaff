//! The command on real stores.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]
