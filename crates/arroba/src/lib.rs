//! AT Protocol repositories and a Personal Data Server as a library.
//!
//! [`RepoHost`] keeps repositories: it creates them, commits to them, imports and exports them, and announces all of
//! it on a [`firehose`]. Holding one is the authority to write. A [`Service`] is the same host as requests from
//! outside see it: its writes demand a proof from [`auth`].

mod accounts;
pub mod auth;
pub mod blobs;
pub mod config;
mod crawlers;
pub mod environment;
mod error;
mod export;
pub mod firehose;
#[cfg(doctest)]
mod guides;
mod host;
mod import;
pub mod methods;
mod metrics;
mod pds;
pub mod proxy;
mod rate_limits;
pub mod read_after_write;
pub mod records;
pub mod remote_blobs;
pub mod routes;
mod secrets;
mod service;
pub mod session;

pub use arroba_core as core;
pub use arroba_identity as identity;
pub use arroba_lexicons as lexicons;
pub use arroba_store as store;
pub use arroba_xrpc as xrpc;

pub use crate::blobs::UploadError;
pub use crate::crawlers::{AskedJustNow, Crawled, Crawlers};
pub use crate::error::{Error, Result};
pub use crate::host::{
    Announcement, Batch, Collections, CommitMeta, CommitOptions, CommitOutcome, Content, Contents, Exports,
    HostError, HostKeys, HostLimits, HostPolicies, NewRepo, Repo, RepoHost, RepoHostBuilder, RepoPlan,
    RepoTree, RestrictedExports, TreeWalker, Write, WriteResult, WritesSince, Written,
};
pub use crate::import::ImportError;
pub use crate::pds::{Pds, PdsBuilder, stop_signal};
pub use crate::remote_blobs::{BlobConstraints, RemoteBlobError, RemoteBlobs};
pub use crate::routes::HostRoutes;
pub use crate::secrets::{Secrets, SecretsError};
pub use crate::service::Service;
