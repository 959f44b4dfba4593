//! What can go wrong when a server is put together and run.

use std::io;

use arroba_identity::plc::DirectoryUrlError;
use arroba_net::{DnsError, FetchError};
use arroba_store::StoreError;
use arroba_store::blobs::BlobError;

use crate::config::ConfigErrors;
use crate::host::HostError;
use crate::methods::MethodError;
use crate::secrets::SecretsError;

/// A failure to start or run a server; [`HostError`] is what single operations fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings are wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The secrets cannot be had.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The store cannot be opened, read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blobs' place cannot be used.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The host of the repositories failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The PLC directory's address is not usable.
    #[error("failed to use the address of the PLC directory")]
    Directory(#[from] DirectoryUrlError),
    /// There is no connection to Datastore.
    #[cfg(feature = "datastore")]
    #[error("failed to connect to Datastore")]
    Datastore(#[from] arroba_store::datastore::ConnectError),
    /// No name server is configured on this machine.
    #[error("failed to set up name resolution")]
    Dns(#[from] DnsError),
    /// No TLS for outgoing requests.
    #[error("failed to set up outgoing requests")]
    Client(#[from] FetchError),
    /// A setting of the builder is not usable.
    #[error("{name} must be {expected}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// A method of one's own cannot be served.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The port cannot be listened on, or a directory not made.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The metrics cannot be set up.
    #[error("failed to set up metrics: {0}")]
    Metrics(String),
}

/// The result of starting or running a server.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;
