//! What the benchmarks work on: the same trees and records in every run.
//!
//! `cargo bench -p arroba-bench` runs them all; `cargo bench -p arroba-bench --bench mst -- edit` some.

use std::collections::HashMap;

use arroba_core::data::{Cid, Link};
use arroba_core::mst::{Builder, Key, Loader, MstError, NodePut, Position, Tree};
use arroba_core::syntax::Tid;
use bytes::Bytes;

/// Sorted keys as a busy account has them: two in three are likes, the rest posts and follows.
pub fn keys(count: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..count)
        .map(|index| {
            let collection = ["app.bsky.feed.like", "app.bsky.feed.post", "app.bsky.feed.like"][index % 3];
            let collection = if index % 30 == 1 { "app.bsky.graph.follow" } else { collection };
            let rkey = Tid::from_micros(1_700_000_000_000_000 + 37_000_003 * index as u64, 7);
            Key::try_from(format!("{collection}/{rkey}").as_str()).expect("a path is a key")
        })
        .collect();
    keys.sort();
    keys
}

/// The same keys in an order without pattern.
pub fn shuffled(mut keys: Vec<Key>) -> Vec<Key> {
    let mut state = 1u64;
    for index in (1..keys.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        keys.swap(index, (state >> 33) as usize % (index + 1));
    }
    keys
}

/// A value for a key; no two are equal.
pub fn value(key: &Key) -> Link {
    Cid::for_cbor(key.as_bytes()).into()
}

/// A node table in memory.
#[derive(Debug)]
pub struct Nodes {
    rows: HashMap<Position, Bytes>,
    root: (Cid, u8),
}

impl Nodes {
    /// The nodes of the tree of these sorted keys.
    pub fn build(keys: &[Key]) -> Self {
        let mut builder = Builder::new();
        for key in keys {
            builder.push(key.clone(), value(key)).expect("keys are sorted");
        }
        let puts = builder.finish();
        let last = puts.last().expect("a tree has a root");
        let root = (last.cid, last.position.height);
        let rows = puts.into_iter().map(|NodePut { position, bytes, .. }| (position, bytes)).collect();
        Self { rows, root }
    }

    /// Drives a loader.
    ///
    /// # Errors
    /// None, if the table is whole.
    pub fn load(&self, mut loader: Loader) -> Result<Tree, MstError> {
        loader.start(Some(self.root));
        while let Some(request) = loader.wants().first().cloned() {
            let bytes = self.rows.get(&request.position).ok_or_else(|| MstError::Missing(request.clone()))?;
            loader.supply(&request, bytes.clone())?;
        }
        loader.finish()
    }
}

/// A post with a reply, a facet and an image, as CBOR: about a kilobyte.
pub fn post() -> Vec<u8> {
    let json = br#"{"$type":"app.bsky.feed.post","text":"A post of middling length that mentions @alice.example.com and says something about the weather, the tide and the trains, since those are what people talk about.","createdAt":"2024-05-01T12:34:56.789Z","langs":["en"],"reply":{"root":{"uri":"at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3kr3zvnhbks2a","cid":"bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"},"parent":{"uri":"at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3kr3zvnhbks2b","cid":"bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"}},"facets":[{"index":{"byteStart":40,"byteEnd":58},"features":[{"$type":"app.bsky.richtext.facet#mention","did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz"}]}],"embed":{"$type":"app.bsky.embed.images","images":[{"alt":"boats at low tide","aspectRatio":{"width":2000,"height":1500},"image":{"$type":"blob","ref":{"$link":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},"mimeType":"image/jpeg","size":412345}}]}}"#;
    let value = arroba_core::data::json::from_slice(json).expect("the post is well-formed");
    arroba_core::data::cbor::encode(&value)
}
