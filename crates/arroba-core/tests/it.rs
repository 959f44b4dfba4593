//! Integration tests of the core crate: one binary, one module an area.

#[cfg(test)]
mod it {
    mod car;
    mod crypto;
    mod data;
    mod errors;
    mod event;
    #[allow(dead_code, clippy::allow_attributes, reason = "not every area has vectors yet")]
    mod fixtures;
    mod lexicon;
    mod mst;
    mod python_permissions;
    mod python_vectors;
    mod random;
    mod repo;
    mod scopes;
    mod syntax;
    mod verify;
}
