//! Integration tests of the stores.

#[path = "it/conformance.rs"]
mod conformance;
