//! Datastore: entities, and the client against the emulator.

#[path = "datastore/budget.rs"]
mod budget;
#[path = "datastore/client.rs"]
mod client;
#[path = "datastore/entities.rs"]
mod entities;
#[path = "datastore/faults.rs"]
mod faults;
#[path = "datastore/remote_blobs.rs"]
mod remote_blobs;
#[path = "datastore/sequences.rs"]
mod sequences;
#[path = "datastore/strict.rs"]
mod strict;
#[path = "datastore/table.rs"]
mod table;
