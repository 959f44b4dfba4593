//! `arroba repo tree`.

use super::source::Opened;
use crate::{
    cli::{Picture as Format, Source},
    output,
};
use arroba_core::{
    data::Cid,
    mst::{Tree, draw::Picture},
    repo::verify::Found,
};
use bytes::Bytes;
use std::collections::HashMap;

pub(super) async fn run(source: &Source, format: Format) -> anyhow::Result<()> {
    let mut blocks: HashMap<Cid, Bytes> = HashMap::new();
    let opened = Opened::open(source).await?;
    let whole = opened
        .each(None, false, |found| {
            if let Found::Node { cid, block, .. } = found {
                blocks.insert(cid, block);
            }
            Ok(())
        })
        .await?;
    let tree = Tree::from_blocks(whole.commit.data, |cid| blocks.get(cid).cloned())?;
    match format {
        Format::Text => text(&tree),
        Format::Dot => output::line(Picture::of(&tree).to_dot()),
        Format::Svg => output::line(Picture::of(&tree).to_svg()),
    }
}

/// Nodes and the entries that they hold, indented by depth.
fn text(tree: &Tree) -> anyhow::Result<()> {
    let mut top = None;
    for node in tree.nodes() {
        let node = node?;
        let height = node.position.height;
        let depth = usize::from(top.get_or_insert(height).saturating_sub(height));
        output::line(format!(
            "{}{} height {height}, after `{}`",
            "  ".repeat(depth),
            node.cid,
            node.position.after
        ))?;
    }
    Ok(())
}
