//! The guides of `docs/`: their programs are compiled with the tests.

#[doc = include_str!("../../../README.md")]
struct Readme;

#[doc = include_str!("../../../docs/run-a-pds.md")]
struct RunAPds;

#[doc = include_str!("../../../docs/embed-a-host.md")]
struct EmbedAHost;

#[cfg(feature = "datastore")]
#[doc = include_str!("../../../docs/move-from-python.md")]
struct MoveFromPython;

#[cfg(feature = "datastore")]
#[doc = include_str!("../../../docs/write-a-store.md")]
struct WriteAStore;
