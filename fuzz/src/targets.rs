//! The targets, one a file, and the list of them.

pub mod car;
pub mod cbor;
pub mod cid;
pub mod commit;
pub mod datastore;
pub mod did_document;
pub mod did_key;
pub mod frame;
pub mod json;
pub mod jwt;
pub mod lexicon;
pub mod media;
pub mod node;
pub mod pem;
pub mod plc;
pub mod query;
pub mod read_after_write;
pub mod record;
pub mod record_proof;
pub mod repo_car;
pub mod scopes;
pub mod syntax;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Decodes the input in every way it can be decoded.
    pub run: fn(&[u8]),
    /// What mutation starts from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// All targets.
        pub const ALL: &[Target] =
            &[$(Target { name: stringify!($name), run: $name::target, seeds: $name::seeds }),*];
    };
}

targets!(
    car,
    cbor,
    cid,
    commit,
    datastore,
    did_document,
    did_key,
    frame,
    json,
    jwt,
    lexicon,
    media,
    node,
    pem,
    plc,
    query,
    read_after_write,
    record,
    record_proof,
    repo_car,
    scopes,
    syntax,
);
