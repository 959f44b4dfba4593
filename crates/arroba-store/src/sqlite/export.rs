//! Blocks of a repository, checked on the way out: each row hashes to what its parent names.

use std::collections::BTreeSet;

use arroba_core::{
    data::{Cid, Link},
    mst::{Entry, Expect, Key, NodeData, Position},
    syntax::Tid,
};
use rusqlite::{Connection, Row, Rows};

use super::{
    apply::depth,
    rows::{Live, cid},
    spool::Spool,
};
use crate::error::StoreError;

/// The whole repository in streamable order. The order of the node table is that of the tree, so this merges two linear scans.
pub(super) fn all(connection: &Connection, live: &Live, spool: &mut Spool) -> Result<(), StoreError> {
    let mut nodes = connection
        .prepare_cached("SELECT cid, bytes, after, depth FROM node WHERE tree = ?1 ORDER BY after, depth")?;
    let mut records =
        connection.prepare_cached("SELECT cid, value, path FROM record WHERE tree = ?1 ORDER BY path")?;
    let mut nodes = nodes.query([live.tree])?;
    let mut records = records.query([live.tree])?;
    commit(live, spool)?;
    let mut walk = Walk::new(live);
    while let Some(expected) = walk.next() {
        match expected {
            Expected::Node(node) => {
                let bytes = take(&mut nodes, &node.cid, |row| {
                    Ok(row.get_ref(2)?.as_blob().is_ok_and(|after| after == node.position.after.as_bytes())
                        && row.get::<_, u8>(3)? == depth(&node.position))
                })?;
                spool.push(&node.cid, bytes)?;
                walk.enter(&node, bytes)?;
            }
            Expected::Record(key, cid) => {
                let bytes = take(&mut records, &cid, |row| {
                    Ok(row.get_ref(2)?.as_blob().is_ok_and(|path| path == key.as_bytes()))
                })?;
                spool.push(&cid, bytes)?;
            }
        }
    }
    if nodes.next()?.is_some() || records.next()?.is_some() {
        return Err(StoreError::corrupt("rows that the tree does not reach"));
    }
    Ok(())
}

/// The commit, and what is newer than `since`. A node that is not newer has nothing newer below it.
pub(super) fn since(
    connection: &Connection,
    live: &Live,
    since: Tid,
    spool: &mut Spool,
) -> Result<(), StoreError> {
    commit(live, spool)?;
    // Rows with rev 0 stand for the base.
    let oldest = if live.base > since { 0 } else { since.to_u64().saturating_add(1) };
    let mut nodes = connection.prepare_cached(
        "SELECT cid, bytes FROM node WHERE tree = ?1 AND after = ?2 AND depth = ?3 AND rev >= ?4",
    )?;
    let mut records = connection
        .prepare_cached("SELECT cid, value FROM record WHERE tree = ?1 AND path = ?2 AND rev >= ?3")?;
    let mut walk = Walk::new(live);
    while let Some(expected) = walk.next() {
        match expected {
            Expected::Node(node) => {
                let position = &node.position;
                let mut rows =
                    nodes.query((live.tree, position.after.as_bytes(), depth(position), oldest))?;
                let Some(row) = rows.next()? else { continue };
                let bytes = checked(row, &node.cid)?;
                spool.push(&node.cid, bytes)?;
                walk.enter(&node, bytes)?;
            }
            Expected::Record(key, cid) => {
                let mut rows = records.query((live.tree, key.as_bytes(), oldest))?;
                let Some(row) = rows.next()? else { continue };
                spool.push(&cid, checked(row, &cid)?)?;
            }
        }
    }
    Ok(())
}

/// These blocks, as far as the repository has them, each once; returns the others. It scans, but the values of rows that are
/// not wanted are not read.
pub(super) fn these(
    connection: &Connection,
    live: &Live,
    wanted: &[Cid],
    spool: &mut Spool,
) -> Result<Vec<Cid>, StoreError> {
    let mut left: BTreeSet<Cid> = wanted.iter().copied().collect();
    if left.remove(&live.head.cid) {
        commit(live, spool)?;
    }
    for statement in
        ["SELECT cid, bytes FROM node WHERE tree = ?1", "SELECT cid, value FROM record WHERE tree = ?1"]
    {
        let mut statement = connection.prepare_cached(statement)?;
        let mut rows = statement.query([live.tree])?;
        while !left.is_empty()
            && let Some(row) = rows.next()?
        {
            let cid = cid(row, 0)?;
            if left.remove(&cid) {
                spool.push(&cid, checked(row, &cid)?)?;
            }
        }
    }
    Ok(left.into_iter().collect())
}

fn commit(live: &Live, spool: &mut Spool) -> Result<(), StoreError> {
    if !live.head.cid.matches(&live.head.block) {
        return Err(StoreError::corrupt("the commit block is not what the head names"));
    }
    spool.push(&live.head.cid, &live.head.block)
}

/// The next row, which must be this block at this place.
fn take<'a>(
    rows: &'a mut Rows<'_>,
    cid: &Cid,
    in_place: impl FnOnce(&Row<'_>) -> Result<bool, StoreError>,
) -> Result<&'a [u8], StoreError> {
    match rows.next()? {
        Some(row) if in_place(row)? => checked(row, cid),
        _ => Err(StoreError::corrupt(format!("block {cid} does not stand where the tree has it"))),
    }
}

/// The bytes of a row with CID and bytes in its first columns.
fn checked<'a>(row: &'a Row<'_>, expected: &Cid) -> Result<&'a [u8], StoreError> {
    let bytes =
        row.get_ref(1)?.as_blob().map_err(|error| StoreError::corrupt_by("column of bytes", error))?;
    if cid(row, 0)? != *expected || !expected.matches(bytes) {
        return Err(StoreError::corrupt(format!("block {expected} is another than its parent names")));
    }
    Ok(bytes)
}

/// What stands next in the streamable order, as the nodes entered so far say.
struct Walk {
    root: Option<ExpectedNode>,
    open: Vec<Open>,
}

enum Expected {
    Node(ExpectedNode),
    Record(Key, Cid),
}

struct ExpectedNode {
    cid: Cid,
    position: Position,
    before: Option<Key>,
    is_root: bool,
}

/// A node whose content is not all passed yet.
struct Open {
    height: u8,
    after: Key,
    before: Option<Key>,
    left: Option<Cid>,
    entries: std::iter::Peekable<std::vec::IntoIter<Entry>>,
    right: Option<Cid>,
}

impl Walk {
    fn new(live: &Live) -> Self {
        let root = ExpectedNode {
            cid: live.head.data,
            position: Position::root(live.height),
            before: None,
            is_root: true,
        };
        Self { root: Some(root), open: Vec::new() }
    }

    fn enter(&mut self, node: &ExpectedNode, bytes: &[u8]) -> Result<(), StoreError> {
        let Position { after, height } = &node.position;
        let before = node.before.as_ref().map(Key::as_bytes);
        let expect = if node.is_root {
            Expect::root(Some(*height))
        } else {
            Expect::child(*height, after.as_bytes(), before)
        };
        let data = NodeData::decode(bytes, expect)
            .map_err(|error| StoreError::corrupt_by(format!("tree node {}", node.cid), error))?;
        self.open.push(Open {
            height: *height,
            after: after.clone(),
            before: node.before.clone(),
            left: data.left,
            entries: data.entries.into_iter().peekable(),
            right: None,
        });
        Ok(())
    }

    fn next(&mut self) -> Option<Expected> {
        if let Some(root) = self.root.take() {
            return Some(Expected::Node(root));
        }
        loop {
            let open = self.open.last_mut()?;
            // The subtree before the next entry: the left one, or that of the entry just passed.
            if let Some(cid) = open.left.take().or_else(|| open.right.take()) {
                let before = open.entries.peek().map(|entry| entry.key.clone());
                let height = open.height.checked_sub(1)?;
                return Some(Expected::Node(ExpectedNode {
                    cid,
                    position: Position { after: open.after.clone(), height },
                    before: before.or_else(|| open.before.clone()),
                    is_root: false,
                }));
            }
            match open.entries.next() {
                Some(Entry { key, value, right }) => {
                    open.after = key.clone();
                    open.right = right;
                    match value {
                        Link::Cid(cid) => return Some(Expected::Record(key, cid)),
                        // A row has a plain CID, so a foreign one was never stored.
                        _ => continue,
                    }
                }
                None => {
                    self.open.pop();
                }
            }
        }
    }
}
