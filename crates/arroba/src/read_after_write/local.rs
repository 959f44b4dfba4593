//! The caller's newest records, as patches see them.

use std::collections::{BTreeMap, HashMap, HashSet};

use arroba_core::data::Cid;
use arroba_core::nsid;
use arroba_core::syntax::{AtUri, Datetime, Did, Handle, Nsid, RecordPath, Tid};
use arroba_lexicons::QueryPairs;
use serde_json::Value;

pub(super) const POST: Nsid = nsid!("app.bsky.feed.post");
pub(super) const LIKE: Nsid = nsid!("app.bsky.feed.like");
pub(super) const REPOST: Nsid = nsid!("app.bsky.feed.repost");
pub(super) const PROFILE: Nsid = nsid!("app.bsky.actor.profile");

/// Revisions before 2020 are no times: some stores count with them.
const FIRST_TIME: u64 = 1_577_836_800_000_000;

/// A record that the service may not know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LocalRecord {
    /// Its address, by DID.
    pub uri: AtUri,
    /// Its CID.
    pub cid: Cid,
    /// The revision that wrote it.
    pub rev: Tid,
    /// The record as JSON.
    pub value: Value,
}

impl LocalRecord {
    /// A record.
    #[must_use]
    pub const fn new(uri: AtUri, cid: Cid, rev: Tid, value: Value) -> Self {
        Self { uri, cid, rev, value }
    }
}

/// What the caller wrote since the revision that the service knows, and what there is to know for showing it.
#[derive(Clone, Debug)]
pub struct LocalWrites {
    pub(super) did: Did,
    pub(super) handle: Option<Handle>,
    pub(super) params: QueryPairs,
    pub(super) now: Datetime,
    pub(super) records: BTreeMap<Nsid, Vec<LocalRecord>>,
    pub(super) gone: HashSet<String>,
    pub(super) profile: Option<LocalRecord>,
    /// Views of records that posts embed, by address.
    pub(super) embedded: HashMap<String, Value>,
    /// Where the service's clients find pictures: see [`ProxyService::pictures`](crate::proxy::ProxyService::pictures).
    pub(super) pictures: Option<String>,
    /// Where this server is, which has the pictures too.
    pub(super) server: String,
}

impl LocalWrites {
    /// Nothing written yet, for an account, at a time.
    pub fn new(did: Did, now: Datetime) -> Self {
        Self {
            did,
            handle: None,
            params: QueryPairs::new(),
            now,
            records: BTreeMap::new(),
            gone: HashSet::new(),
            profile: None,
            embedded: HashMap::new(),
            pictures: None,
            server: String::new(),
        }
    }

    /// The account's handle.
    #[must_use]
    pub fn with_handle(mut self, handle: Option<Handle>) -> Self {
        self.handle = handle;
        self
    }

    /// The parameters of the call.
    #[must_use]
    pub fn with_params(mut self, params: QueryPairs) -> Self {
        self.params = params;
        self
    }

    /// Where the service's clients find pictures: an address with `%s` for preset, DID and CID, in this order. Without it
    /// `server` has them.
    #[must_use]
    pub fn with_pictures(mut self, pattern: Option<String>, server: impl Into<String>) -> Self {
        self.pictures = pattern;
        self.server = server.into();
        self
    }

    /// The account's profile record, old or new.
    #[must_use]
    pub fn with_profile(mut self, record: LocalRecord) -> Self {
        self.profile = Some(record);
        self
    }

    /// The view of a record that posts embed.
    #[must_use]
    pub fn with_embedded(mut self, uri: impl Into<String>, view: Value) -> Self {
        self.embedded.insert(uri.into(), view);
        self
    }

    /// Adds a record that is newer than what the service knows.
    pub fn write(&mut self, path: &RecordPath, cid: Cid, rev: Tid, value: Value) {
        let record = LocalRecord { uri: AtUri::record(&self.did, path), cid, rev, value };
        let records = self.records.entry(path.collection.clone()).or_default();
        let at = records.partition_point(|other| other.rev >= rev);
        records.insert(at, record);
    }

    /// Says that a record that the answer names is no more.
    pub fn delete(&mut self, uri: &AtUri) {
        self.gone.insert(uri.to_string());
    }

    /// Who calls.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The caller's handle.
    #[must_use]
    pub const fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> &Datetime {
        &self.now
    }

    /// A parameter of the call; the first if there are several of the name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// The new records of a collection, the newest first.
    #[must_use]
    pub fn records(&self, collection: &Nsid) -> &[LocalRecord] {
        self.records.get(collection).map_or(&[], Vec::as_slice)
    }

    /// Whether a record of the caller's, which the answer names, is no more.
    #[must_use]
    pub fn is_gone(&self, uri: &str) -> bool {
        self.gone.contains(uri)
    }

    /// The caller's profile record, whether the service knows it or not.
    #[must_use]
    pub const fn profile(&self) -> Option<&LocalRecord> {
        self.profile.as_ref()
    }

    /// The profile, if the service does not know it.
    pub(super) fn new_profile(&self) -> Option<&LocalRecord> {
        self.records(&PROFILE).iter().find(|record| record.uri.as_str().ends_with("/self"))
    }

    /// Whether nothing was written, so that nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.gone.is_empty()
    }

    /// How long ago the oldest of the new records was written, in milliseconds.
    pub(super) fn lag_millis(&self) -> Option<i64> {
        let now = self.now.unix_micros();
        let oldest = self.records.values().flatten().map(|record| self.written(record)).min()?;
        Some(now.saturating_sub(oldest).max(0) / 1000)
    }

    /// When a record was written, in microseconds since 1970: by its revision, or if that is no time, by itself. Never in
    /// the future.
    pub(super) fn written(&self, record: &LocalRecord) -> i64 {
        let now = self.now.unix_micros();
        let micros = match record.rev.micros() {
            micros if micros >= FIRST_TIME => i64::try_from(micros).ok(),
            _ => created(&record.value),
        };
        micros.unwrap_or(now).min(now)
    }
}

/// When a record says that it was made, in microseconds since 1970.
pub(super) fn created(record: &Value) -> Option<i64> {
    time(record.get("createdAt"))
}

/// A datetime in JSON, in microseconds since 1970.
pub(super) fn time(value: Option<&Value>) -> Option<i64> {
    Datetime::parse(value?.as_str()?).ok().map(|time| time.unix_micros())
}
