//! A database of the Datastore emulator for either side; without the feature `datastore` there is none.

#[cfg(feature = "datastore")]
mod emulated;
#[cfg(not(feature = "datastore"))]
mod none;

#[cfg(feature = "datastore")]
pub(crate) use self::emulated::{Database, Emulated};
#[cfg(not(feature = "datastore"))]
pub(crate) use self::none::{Database, Emulated};
