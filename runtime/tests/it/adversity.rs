//! Bugs that an attack on the runtime found, each as the test that found it.

mod answers;
mod load;
mod odd;
mod panics;
mod witness;
