//! A node table as a store keeps it: rows by position, changed only by the row changes of edits.

use std::collections::BTreeMap;

use arroba_core::data::{Cid, Link};
use arroba_core::mst::{Builder, Edited, Key, KeyEdit, Loader, MstError, NodePut, Position, Tree};
use bytes::Bytes;

/// The nodes of one tree by position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeTable {
    pub(crate) rows: BTreeMap<Position, (Cid, Bytes)>,
}

impl NodeTable {
    /// From scratch: the slow twin of a table that edits keep up to date.
    pub(crate) fn build(entries: &BTreeMap<Key, Link>) -> Self {
        let mut builder = Builder::new();
        let mut table = Self::default();
        for (key, value) in entries {
            builder.push(key.clone(), value.clone()).unwrap();
            builder.drain().for_each(|put| table.put(put));
        }
        builder.finish().into_iter().for_each(|put| table.put(put));
        table
    }

    fn put(&mut self, put: NodePut) {
        assert!(put.cid.matches(&put.bytes));
        self.rows.insert(put.position, (put.cid, put.bytes));
    }

    pub(crate) fn root(&self) -> (Cid, u8) {
        let (position, (cid, _)) = self.rows.first_key_value().expect("a tree has a root");
        assert!(position.after.is_start());
        (*cid, position.height)
    }

    pub(crate) fn load(&self, loader: Loader) -> Tree {
        self.load_counting(loader).0
    }

    /// Also says how many nodes were read.
    pub(crate) fn load_counting(&self, mut loader: Loader) -> (Tree, usize) {
        let mut reads = 0;
        loader.start(Some(self.root()));
        while let Some(request) = loader.wants().first().cloned() {
            let (cid, bytes) = &self.rows[&request.position];
            assert_eq!(*cid, request.cid);
            loader.supply(&request, bytes.clone()).unwrap();
            reads += 1;
        }
        (loader.finish().unwrap(), reads)
    }

    /// Loads what the batch needs and no more, edits, and changes the rows.
    pub(crate) fn edit(&mut self, batch: &[KeyEdit]) -> Result<(Tree, Edited), MstError> {
        let tree = self.load(Loader::for_edit(batch.iter().map(|edit| edit.key.clone())));
        let edited = tree.edit(batch)?;
        self.apply(&edited.puts, &edited.removes);
        Ok((tree, edited))
    }

    /// Changes the rows. Every change must have an effect.
    pub(crate) fn apply(&mut self, puts: &[NodePut], removes: &[Position]) {
        for position in removes {
            assert!(self.rows.remove(position).is_some(), "removed a row that is not there: {position:?}");
        }
        for put in puts {
            let old = self.rows.get(&put.position);
            assert_ne!(old.map(|(cid, _)| *cid), Some(put.cid), "put a row that is there: {put:?}");
            self.put(put.clone());
        }
    }
}
