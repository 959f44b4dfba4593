//! What tests of other crates need: the emulator, a service as strict as the real one, and entities from JSON and bytes.

mod emulator;
mod json;
mod protobuf;
mod strict;

pub use emulator::Emulator;
pub use json::{JsonEntityError, entity_from_json};
pub use protobuf::{entity_from_protobuf, entity_to_protobuf};
pub use strict::{Fault, Index, Strict, StrictOptions, When};
