//! Fuzz targets: every decoder of bytes from the network, as a plain function.
//!
//! A target must not panic, must end soon, and holds what it decodes to its own rules: what was accepted encodes to
//! the same bytes, two ways of reading agree. The runner (`cargo run -p arroba-fuzz -- --seconds 60`) mutates seeds
//! on stable Rust; `libfuzzer/` has the same functions for cargo-fuzz.

pub mod fixtures;
pub mod mutate;
pub mod repository;
pub mod reseal;
pub mod runner;
pub mod targets;
