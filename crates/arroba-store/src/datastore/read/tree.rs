//! Loading what an edit or a read needs.

use arroba_core::{
    data::Cid,
    mst::{Loader, Tree},
    syntax::Did,
};

use super::{super::blocks::Blocks, subtree::missing};
use crate::error::StoreError;

/// The part of a tree that the loader asks for: one lookup a level, none for what is in memory. Without a root, the empty tree.
///
/// # Errors
/// [`StoreError::Corrupt`] if a node is missing or is not what its parent names; as [`Blocks::get_many`].
pub(crate) async fn load(
    blocks: &Blocks,
    did: &Did,
    root: Option<Cid>,
    mut loader: Loader,
) -> Result<Tree, StoreError> {
    let damaged = |error| StoreError::corrupt_by(format!("tree of {did}"), error);
    match root {
        Some(root) => loader.start_unmeasured(root),
        None => loader.start(None),
    }
    loop {
        let wants = loader.wants().to_vec();
        if wants.is_empty() {
            return loader.finish().map_err(damaged);
        }
        let found = blocks.get_many(wants.iter().map(|want| want.cid).collect()).await?;
        for want in wants {
            let node = found.get(&want.cid).ok_or_else(|| missing("tree node", did, &want.cid))?;
            loader.supply(&want, node.bytes.clone()).map_err(damaged)?;
        }
    }
}
