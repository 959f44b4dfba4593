//! The arroba command: run a Personal Data Server and look after it.
fn main() {}
