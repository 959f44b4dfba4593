//! The walk over a tree from somewhere else, checking everything on the way.

use arroba_core::data::{Cid, Codec, Value, blob_ref, cbor};
use arroba_core::mst::{Expect, Key, Loader, NodeData, NodePut, NodeRequest, Position, Tree};
use arroba_core::syntax::RecordPath;
use arroba_lexicons::backlinks;
use arroba_store::StagedRecord;
use bytes::Bytes;

use super::ImportError;
use super::spool::Spool;

/// How much is handed on at once, in bytes.
const PIECE_BYTES: usize = 1 << 20;

/// Records and nodes on their way into the store.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) records: Vec<StagedRecord>,
    pub(super) nodes: Vec<NodePut>,
}

/// The root node of the tree.
#[derive(Debug)]
pub(super) struct Root {
    height: u8,
    bytes: Bytes,
}

impl Root {
    /// The tree with its root loaded and nothing else.
    pub(super) fn tree(self, cid: Cid) -> Result<Tree, ImportError> {
        let mut loader = Loader::for_read([]);
        loader.start(Some((cid, self.height)));
        let request = NodeRequest { cid, position: Position::root(self.height) };
        loader.supply(&request, self.bytes).map_err(ImportError::Tree)?;
        loader.finish().map_err(ImportError::Tree)
    }
}

/// A node to be visited, and what must hold there.
struct Visit {
    cid: Cid,
    after: Key,
    before: Option<Key>,
    /// `None` for the root.
    height: Option<u8>,
}

/// Visits the nodes in pre-order and hands them and their records to `take`, until that says to stop.
///
/// Each node must lie within the bounds that its parent sets, so that no node is visited twice and the work is bounded by the keys.
/// Many keys may name one block, and each makes a record of its own: `max_bytes` is the most that all records together may have.
pub(super) fn walk(
    spool: &Spool,
    data: Cid,
    max_bytes: u64,
    mut take: impl FnMut(Piece) -> bool,
) -> Result<Root, ImportError> {
    let mut root = None;
    let mut piece = Piece::default();
    let mut piece_bytes = 0_usize;
    let mut record_bytes = 0_u64;
    let mut waiting = vec![Visit { cid: data, after: Key::start(), before: None, height: None }];
    while let Some(visit) = waiting.pop() {
        let bytes = spool.block(&visit.cid)?.ok_or(ImportError::NodeMissing(visit.cid))?;
        let expect = match visit.height {
            None => Expect::root(None),
            Some(height) => {
                Expect::child(height, visit.after.as_bytes(), visit.before.as_ref().map(Key::as_bytes))
            }
        };
        let node = NodeData::decode(&bytes, expect).map_err(ImportError::Tree)?;
        let height = node.height;
        root.get_or_insert_with(|| Root { height, bytes: bytes.clone() });
        piece_bytes = piece_bytes.saturating_add(bytes.len());
        piece.nodes.push(NodePut {
            position: Position { after: visit.after.clone(), height },
            cid: visit.cid,
            bytes,
        });
        let mut children = Vec::new();
        let mut after = visit.after;
        let mut left = node.left;
        for entry in node.entries {
            children.extend(left.map(|cid| child(cid, &after, Some(&entry.key), height)));
            let record = record(spool, &entry.key, entry.value)?;
            record_bytes = record_bytes.saturating_add(record.value.len() as u64);
            if record_bytes > max_bytes {
                return Err(ImportError::RecordsTooLarge(max_bytes));
            }
            piece_bytes = piece_bytes.saturating_add(record.value.len());
            piece.records.push(record);
            (after, left) = (entry.key, entry.right);
        }
        children.extend(left.map(|cid| child(cid, &after, visit.before.as_ref(), height)));
        waiting.extend(children.into_iter().rev());
        if piece_bytes >= PIECE_BYTES || waiting.is_empty() {
            if !take(std::mem::take(&mut piece)) {
                return Err(ImportError::Abandoned);
            }
            piece_bytes = 0;
        }
    }
    root.ok_or(ImportError::NodeMissing(data))
}

fn child(cid: Cid, after: &Key, before: Option<&Key>, height: u8) -> Visit {
    // A node at height 0 has no children: the codec saw to that.
    Visit { cid, after: after.clone(), before: before.cloned(), height: Some(height.saturating_sub(1)) }
}

fn record(spool: &Spool, key: &Key, value: arroba_core::data::Link) -> Result<StagedRecord, ImportError> {
    let path = path(key)?;
    let Some(cid) = value.cid().filter(|cid| cid.codec() == Codec::DagCbor) else {
        return Err(ImportError::Link { path, link: value });
    };
    let Some(bytes) = spool.block(&cid)? else { return Err(ImportError::RecordMissing(path)) };
    let value = match cbor::decode(&bytes) {
        Ok(value @ Value::Map(_)) => value,
        Ok(_) => return Err(ImportError::NotAnObject(path)),
        Err(source) => return Err(ImportError::Record { path, source }),
    };
    // Records come as they are, so a reference that is malformed is no reference, and no reason to refuse.
    let mut blobs: Vec<Cid> =
        blob_ref::find(&value).unwrap_or_default().iter().map(blob_ref::FoundBlob::cid).collect();
    blobs.sort_unstable();
    blobs.dedup();
    let backlinks = backlinks::of(&path.collection, &value).map(|link| link.target.to_owned());
    Ok(StagedRecord { path, cid, value: bytes, blobs, backlinks: backlinks.into_iter().collect() })
}

fn path(key: &Key) -> Result<RecordPath, ImportError> {
    let refuse = |source| ImportError::Path { key: key.clone(), source };
    let text = std::str::from_utf8(key.as_bytes()).map_err(|_| refuse(None))?;
    let path = RecordPath::parse(text).map_err(|error| refuse(Some(error)))?;
    if path.collection.is_normalized() { Ok(path) } else { Err(refuse(None)) }
}
