//! What tests of other crates need: the emulator, and entities from JSON and bytes.

mod emulator;
mod json;
mod protobuf;

pub use emulator::Emulator;
pub use json::{JsonEntityError, entity_from_json};
pub use protobuf::{entity_from_protobuf, entity_to_protobuf};
