//! The Python library and this one side by side on one Datastore emulator.
//!
//! `ARROBA_DATASTORE_EMULATOR` is the emulator, `ARROBA_PYTHON` a Python interpreter that has the library (`e2e/datastore/setup` makes
//! one). Without them the tests say so and do nothing; where `CI` is set, they fail. `ARROBA_SIDE_SECONDS` is how long both write at once.

mod accounts;
mod at_once;
mod crash;
mod follower;
mod in_turn;
mod memcached;
mod python;
mod python_alone;
mod relay;
mod shapes;
mod side;
