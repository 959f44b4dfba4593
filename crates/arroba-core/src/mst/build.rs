//! Building a whole tree from sorted entries, in one pass.

use bytes::Bytes;

use super::error::MstError;
use super::key::Key;
use super::node_data::{Entry, NodeData};
use super::position::{NodePut, Position};
use super::{MAX_HEIGHT, MAX_WIDTH};
use crate::data::{Cid, Link};

/// Makes the nodes of a tree from its entries in the order of their keys. Holds one open node a level.
///
/// Each node is yielded as soon as it is complete, children before parents; the root comes last.
#[derive(Debug)]
pub struct Builder {
    levels: Vec<Level>,
    last: Key,
    done: Vec<NodePut>,
}

#[derive(Debug)]
struct Level {
    after: Key,
    left: Option<Cid>,
    entries: Vec<Entry>,
}

impl Level {
    const fn new(after: Key) -> Self {
        Self { after, left: None, entries: Vec::new() }
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Starts a tree.
    pub fn new() -> Self {
        Self { levels: vec![Level::new(Key::start())], last: Key::start(), done: Vec::new() }
    }

    /// Adds the next entry.
    ///
    /// # Errors
    /// [`MstError::Order`] unless the key is greater than the one before; [`MstError::TooTall`] and
    /// [`MstError::TooWide`] for what no reader would accept.
    pub fn push(&mut self, key: Key, value: Link) -> Result<(), MstError> {
        if key <= self.last {
            return Err(MstError::Order(key));
        }
        let height = key.height();
        if height > MAX_HEIGHT {
            return Err(MstError::TooTall(height));
        }
        let index = usize::from(height);
        while self.levels.len() <= index {
            self.levels.push(Level::new(Key::start()));
        }
        let child = self.close_below(index, &key);
        let level = &mut self.levels[index];
        hang(level, child);
        if level.entries.len() >= MAX_WIDTH {
            return Err(MstError::TooWide { width: level.entries.len() + 1, limit: MAX_WIDTH });
        }
        level.entries.push(Entry { key: key.clone(), value, right: None });
        self.last = key;
        Ok(())
    }

    /// Closes the open nodes below a level, since `key` stands above them. Returns the highest.
    fn close_below(&mut self, height: usize, key: &Key) -> Option<Cid> {
        let mut child = None;
        for (height, level) in self.levels.iter_mut().enumerate().take(height) {
            hang(level, child);
            let level = std::mem::replace(level, Level::new(key.clone()));
            child = (level.left.is_some() || !level.entries.is_empty())
                .then(|| seal(&mut self.done, height, level));
        }
        child
    }

    /// Takes the nodes completed since the last call.
    pub fn drain(&mut self) -> impl Iterator<Item = NodePut> + '_ {
        self.done.drain(..)
    }

    /// Completes the tree. Returns the nodes not yet drained; the last of them is the root.
    pub fn finish(mut self) -> Vec<NodePut> {
        // The highest level was made for an entry, or it is the one level of an empty tree.
        let top = self.levels.len() - 1;
        let child = self.close_below(top, &Key::start());
        if let Some(mut root) = self.levels.pop() {
            hang(&mut root, child);
            seal(&mut self.done, top, root);
        }
        self.done
    }
}

/// Puts a child in the last slot of a level.
fn hang(level: &mut Level, child: Option<Cid>) {
    match level.entries.last_mut() {
        None => level.left = child,
        Some(entry) => entry.right = child,
    }
}

fn seal(done: &mut Vec<NodePut>, height: usize, level: Level) -> Cid {
    let height = u8::try_from(height).expect("levels are bounded by the greatest height");
    let node = NodeData { height, left: level.left, entries: level.entries };
    let bytes = Bytes::from(node.encode());
    let cid = Cid::for_cbor(&bytes);
    done.push(NodePut { position: Position { after: level.after, height }, cid, bytes });
    cid
}
