//! What `--verify` checks: each event by itself, and that each commit follows the one before.

use crate::resolver::resolver;
use anyhow::{Context, bail};
use arroba_core::{
    crypto::PublicKey,
    data::Cid,
    event::{Frame, SyncEvent},
    repo::verify::{self, Order, VerifiedCommit},
    syntax::{Did, Tid},
};
use arroba_identity::Resolver;
use arroba_net::Guard;
use std::{collections::HashMap, net::IpAddr};
use url::{Host, Url};

/// The state of a repository as far as the stream has told it.
#[derive(Debug)]
struct Known {
    rev: Tid,
    data: Cid,
}

#[derive(Debug)]
pub(super) struct Verifier {
    resolver: Resolver,
    repos: HashMap<Did, Known>,
    last_seq: u64,
    commits: u64,
    syncs: u64,
}

impl Verifier {
    pub(super) fn new(plc: &str, server: &Url) -> anyhow::Result<Self> {
        // Whoever follows a server of this machine means identities of this machine too.
        let local = match server.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => false,
        };
        let guard = if local { Guard::AllowLoopback } else { Guard::Public };
        let resolver = resolver(plc, guard)?;
        Ok(Self { resolver, repos: HashMap::new(), last_seq: 0, commits: 0, syncs: 0 })
    }

    pub(super) async fn check(&mut self, frame: &Frame, bytes: &[u8]) -> anyhow::Result<()> {
        if let Some(seq) = frame.seq() {
            if seq <= self.last_seq {
                bail!("came after {}", self.last_seq);
            }
            self.last_seq = seq;
        }
        match frame {
            Frame::Commit(_, event) => self.commit(&event.repo, bytes).await,
            Frame::Sync(_, event) => self.sync(event).await,
            Frame::Identity(_, event) => {
                self.resolver.purge(&event.did);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn commit(&mut self, did: &Did, bytes: &[u8]) -> anyhow::Result<()> {
        let verify = |key: &PublicKey| verify::frame(bytes, did, key, Order::Relay);
        let VerifiedCommit { event, commit, prev_data, .. } = match verify(&self.key(did).await?) {
            Ok(verified) => verified,
            Err(_) => verify(&self.fresh_key(did).await?).with_context(|| format!("the commit of {did}"))?,
        };
        if let Some(known) = self.repos.get(did) {
            if event.rev <= known.rev {
                bail!("rev {} of {did} does not follow {}", event.rev, known.rev);
            }
            if event.since != Some(known.rev) || prev_data != known.data {
                bail!("the commit of {did} does not build on its commit {}", known.rev);
            }
        }
        self.repos.insert(did.clone(), Known { rev: event.rev, data: commit.data });
        self.commits += 1;
        Ok(())
    }

    async fn sync(&mut self, event: &SyncEvent) -> anyhow::Result<()> {
        let did = &event.did;
        let (_, commit) = match verify::sync(event, did, &self.key(did).await?) {
            Ok(verified) => verified,
            Err(_) => {
                let key = self.fresh_key(did).await?;
                verify::sync(event, did, &key).with_context(|| format!("the sync of {did}"))?
            }
        };
        self.repos.insert(did.clone(), Known { rev: event.rev, data: commit.data });
        self.syncs += 1;
        Ok(())
    }

    async fn key(&self, did: &Did) -> anyhow::Result<PublicKey> {
        self.resolver.signing_key(did).await.with_context(|| format!("the signing key of {did}"))
    }

    /// The key as it is now: it may have been replaced since it was asked for.
    async fn fresh_key(&self, did: &Did) -> anyhow::Result<PublicKey> {
        self.resolver.refreshed_signing_key(did).await.with_context(|| format!("the signing key of {did}"))
    }

    pub(super) fn summary(&self) -> String {
        format!(
            "verified: {} commits and {} syncs of {} repositories",
            self.commits,
            self.syncs,
            self.repos.len()
        )
    }
}
