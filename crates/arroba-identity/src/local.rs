use crate::DidDocument;
use arroba_core::syntax::{Did, Handle};
use async_trait::async_trait;
use std::{fmt, sync::Arc};

/// What a host knows by itself.
#[derive(Debug, Clone)]
pub enum Local<T> {
    /// Nothing: the network is to be asked.
    Elsewhere,
    /// That there is none: the network is not asked.
    Absent,
    /// The answer.
    Found(T),
    /// That it should know, but cannot say now: the network is not asked, and nothing is concluded.
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
}

/// What a host can answer about identities without the network: handles under its own domains above all.
///
/// # Contract
/// 1. The answers are quick and not cached: what has changed shows at once.
/// 2. A document is given only where the host is the authority for it: its own did:web, say. A did:plc account
///    on this host may have moved away, which only the directory knows.
#[async_trait]
pub trait LocalIdentities: Send + Sync + fmt::Debug {
    /// The DID of a handle.
    async fn did(&self, handle: &Handle) -> Local<Did>;

    /// The document of a DID.
    async fn document(&self, did: &Did) -> Local<DidDocument>;
}
