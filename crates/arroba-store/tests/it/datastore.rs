//! Datastore: entities, and the client against the emulator.

#[path = "datastore/client.rs"]
mod client;
#[path = "datastore/entities.rs"]
mod entities;
