//! One lexicon, by the whole way.

use super::LexiconError;
use crate::{DidDocument, Resolver};
use arroba_core::{
    data::{Cid, cbor},
    lexicon::Document,
    nsid,
    repo::verify::{self, RecordProof, VerifyError},
    syntax::{AtUri, Did, Nsid, RecordKey, RecordPath},
};
use arroba_net::{Dns, DnsError, GuardedClient, Limits, Request, Url};
use bytes::Bytes;
use http::StatusCode;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Where published lexicons lie in a repo.
const COLLECTION: Nsid = nsid!("com.atproto.lexicon.schema");

/// The whole way: DNS, the DID, the record.
pub(super) const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);
const DNS_TIMEOUT: Duration = Duration::from_secs(5);
/// Until the record's last byte, over all redirects.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// A record of a megabyte would be no document any more, and the rest of a proof is the nodes of one path.
const MAX_PROOF_BYTES: u64 = 1 << 20;

/// With `_lexicon.` before it a longer domain is no domain name any more.
const MAX_DOMAIN_CHARS: usize = 253 - "_lexicon.".len();

/// A lexicon as its authority publishes it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Lexicon {
    /// The account that speaks for the name.
    pub authority: Did,
    /// The CID of the record.
    pub cid: Cid,
    /// The record, as DAG-CBOR.
    pub record: Bytes,
    /// The schemas in it. Their document's name is the name that was asked for.
    pub document: Arc<Document>,
    path: RecordPath,
}

impl Lexicon {
    /// The lexicon's name.
    #[must_use]
    pub fn nsid(&self) -> &Nsid {
        self.document.id()
    }

    /// Where the record lies.
    #[must_use]
    pub fn uri(&self) -> AtUri {
        AtUri::record(&self.authority, &self.path)
    }
}

#[derive(Clone)]
pub(super) struct Sources {
    pub(super) resolver: Resolver,
    pub(super) client: GuardedClient,
    pub(super) dns: Arc<dyn Dns>,
    pub(super) authority: Option<Did>,
    pub(super) timeout: Duration,
}

impl Sources {
    /// Goes the whole way. Nothing is cached but identities.
    pub(super) async fn lexicon(&self, name: &Nsid) -> Result<Arc<Lexicon>, LexiconError> {
        match timeout(self.timeout, self.find(name)).await {
            Ok(answer) => answer,
            Err(_) => Err(LexiconError::Timeout),
        }
    }

    async fn find(&self, name: &Nsid) -> Result<Arc<Lexicon>, LexiconError> {
        let authority = match &self.authority {
            Some(authority) => authority.clone(),
            None => self.authority_of(name).await?,
        };
        // Any name is a record key too.
        let rkey = RecordKey::parse(name.as_str()).map_err(|_| LexiconError::Domain)?;
        let path = RecordPath::new(COLLECTION, rkey);
        let proof = self.proof(&authority, &path).await?;
        let (cid, record) = proof.record.ok_or(LexiconError::NotFound)?;
        let value = cbor::decode(&record).map_err(LexiconError::Data)?;
        let document = Document::from_record(name, &value).map_err(LexiconError::Document)?;
        Ok(Arc::new(Lexicon { authority, cid, document: Arc::new(document), record: record.clone(), path }))
    }

    /// The DID that speaks for a name: what the domain of the name's authority says, and no other domain above or below it.
    async fn authority_of(&self, name: &Nsid) -> Result<Did, LexiconError> {
        let domain = name.domain();
        if domain.len() > MAX_DOMAIN_CHARS {
            return Err(LexiconError::Domain);
        }
        let texts = match timeout(DNS_TIMEOUT, self.dns.txt(&format!("_lexicon.{domain}"))).await {
            Ok(Ok(texts)) => texts,
            Ok(Err(DnsError::NotFound)) => return Err(LexiconError::NoAuthority),
            Ok(Err(error)) => return Err(LexiconError::Dns(Arc::new(error))),
            Err(_) => return Err(LexiconError::Timeout),
        };
        let mut dids = texts.iter().filter_map(|text| Did::parse(text.strip_prefix("did=")?).ok());
        let first = dids.next().ok_or(LexiconError::NoAuthority)?;
        if dids.all(|other| other == first) { Ok(first) } else { Err(LexiconError::Ambiguous) }
    }

    /// What the account's repository says of the record: that it is there, or that it is not.
    async fn proof(&self, authority: &Did, path: &RecordPath) -> Result<RecordProof, LexiconError> {
        let document = self.resolver.resolve_did(authority).await.map_err(LexiconError::Did)?;
        let answer = self.proof_by(&document, path).await;
        // The known document may be of the time before a new key or a move to another host.
        let outdated = matches!(
            answer,
            Err(LexiconError::Proof(VerifyError::Signature(_))
                | LexiconError::Status(_)
                | LexiconError::Fetch(_))
        );
        if !outdated {
            return answer;
        }
        match self.resolver.refresh_did(authority).await {
            Ok(Some(newer)) if is_other(&document, &newer) => self.proof_by(&newer, path).await,
            _ => answer,
        }
    }

    async fn proof_by(&self, document: &DidDocument, path: &RecordPath) -> Result<RecordProof, LexiconError> {
        let host = document.pds().ok_or(LexiconError::NoHost)?;
        let key = document.signing_key().ok_or(LexiconError::NoKey)?;
        let car = self.fetch(host, document.did(), path).await?;
        verify::record_proof(&car, document.did(), &key, path).map_err(LexiconError::Proof)
    }

    async fn fetch(&self, mut url: Url, authority: &Did, path: &RecordPath) -> Result<Bytes, LexiconError> {
        url.set_path("/xrpc/com.atproto.sync.getRecord");
        url.query_pairs_mut()
            .append_pair("did", authority.as_str())
            .append_pair("collection", path.collection.as_str())
            .append_pair("rkey", path.rkey.as_str());
        let limits = Limits::default().total(FETCH_TIMEOUT).body_bytes(MAX_PROOF_BYTES);
        let response = self.client.send(Request::get(url).limits(limits)).await?;
        match response.status {
            StatusCode::OK => Ok(response.bytes().await?),
            status => Err(LexiconError::Status(status)),
        }
    }
}

/// Whether something has changed that the proof depends on.
fn is_other(known: &DidDocument, newer: &DidDocument) -> bool {
    known.pds() != newer.pds() || known.signing_key() != newer.signing_key()
}
