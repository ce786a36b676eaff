//! The scenarios that are more than commands at a pace.

pub(crate) mod cold;
pub(crate) mod embedded;
pub(crate) mod flights;
pub(crate) mod grow;
pub(crate) mod resident;
pub(crate) mod zipf;
