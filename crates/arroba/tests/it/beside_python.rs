//! The Python library and this one side by side on one Datastore emulator.
//!
//! `ARROBA_DATASTORE_EMULATOR` is the emulator, `ARROBA_PYTHON` a Python interpreter that has the library (`e2e/datastore/setup` makes
//! one), `ARROBA_RELAY` the production relay (`e2e/setup relay`). Without one of them its tests say so and do nothing; where `CI` is set,
//! they fail. `ARROBA_SIDE_SECONDS` (5) is how long both write at once, and `ARROBA_SIDE_COMMITS` (0) how many commits each has to make
//! before it stops. `./check side` runs all of them one after the other, because the Python library needs a core for itself.

mod accounts;
mod at_once;
mod crash;
mod follower;
mod in_turn;
mod memcached;
mod python;
mod python_alone;
mod relay;
mod remote_blobs;
mod shapes;
mod side;
