//! Pictures of trees, for people: GraphViz and SVG.
//!
//! A picture of two trees shows what a commit did: nodes that only the old one has are red, nodes that only
//! the new one has are green, and what they share is drawn once.

mod dot;
mod svg;

use std::collections::{BTreeMap, HashMap};

use super::key::Key;
use super::node::{Child, Node};
use super::tree::Tree;
use crate::data::Cid;

/// A picture of one tree, or of two. Nodes that are not loaded are drawn as such.
#[derive(Clone, Debug)]
pub struct Picture {
    /// In the order in which rows are filled: highest first, then by key.
    nodes: Vec<DrawnNode>,
    index: HashMap<Cid, usize>,
}

#[derive(Clone, Debug)]
struct DrawnNode {
    cid: Cid,
    height: u8,
    side: Side,
    /// The labels of its entries; `None` if it is not loaded.
    labels: Option<Vec<String>>,
    /// The slot and CID of each child.
    children: Vec<(usize, Cid)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Old,
    Both,
    New,
}

impl Side {
    const fn fill(self) -> &'static str {
        match self {
            Self::Old => "#f6b8b4",
            Self::Both => "#eef0f2",
            Self::New => "#b5e3bb",
        }
    }
}

impl Picture {
    /// A picture of one tree.
    pub fn of(tree: &Tree) -> Self {
        Self::assemble(&[(tree, Side::Both)])
    }

    /// A picture of two trees and what tells them apart.
    pub fn of_change(old: &Tree, new: &Tree) -> Self {
        Self::assemble(&[(old, Side::Old), (new, Side::New)])
    }

    /// The picture in the DOT language of GraphViz.
    pub fn to_dot(&self) -> String {
        dot::write(self)
    }

    /// The picture as an SVG document.
    pub fn to_svg(&self) -> String {
        svg::write(self)
    }

    fn assemble(trees: &[(&Tree, Side)]) -> Self {
        let mut places: BTreeMap<(u8, Key, Side, Cid), DrawnNode> = BTreeMap::new();
        let mut seen: HashMap<Cid, (u8, Key, Side, Cid)> = HashMap::new();
        for (tree, side) in trees {
            let mut stack = vec![(&tree.root, Key::start(), tree.height)];
            while let Some((child, after, height)) = stack.pop() {
                let Some(cid) = child.cid() else { continue };
                match seen.get(cid).map(|place| places.get_mut(place)) {
                    // Nothing new below a node that the other tree has, unless it was not loaded there.
                    Some(Some(node)) => {
                        node.side = if node.side == *side { *side } else { Side::Both };
                        if let (None, Child::Loaded(loaded)) = (&node.labels, child) {
                            node.labels = Some(labels(loaded));
                            node.children = children(loaded);
                        }
                    }
                    _ => {
                        let place = (u8::MAX - height, after.clone(), *side, *cid);
                        let (labels, children) = match child {
                            Child::Loaded(node) => (Some(labels(node)), children(node)),
                            _ => (None, Vec::new()),
                        };
                        let node = DrawnNode { cid: *cid, height, side: *side, labels, children };
                        seen.insert(*cid, place.clone());
                        places.insert(place, node);
                    }
                }
                if let Child::Loaded(node) = child {
                    for slot in (0..=node.last()).rev() {
                        stack.push((node.slot(slot), node.after(slot, &after).clone(), node.below()));
                    }
                }
            }
        }
        let nodes: Vec<DrawnNode> = places.into_values().collect();
        let index = nodes.iter().enumerate().map(|(i, node)| (node.cid, i)).collect();
        Self { nodes, index }
    }
}

fn labels(node: &Node) -> Vec<String> {
    node.entries.iter().map(|slot| label(&slot.key)).collect()
}

fn children(node: &Node) -> Vec<(usize, Cid)> {
    (0..=node.last()).filter_map(|slot| node.slot(slot).cid().map(|cid| (slot, *cid))).collect()
}

/// The last part of a collection's name and the record key, at most 32 characters.
fn label(key: &Key) -> String {
    let text = key.to_string();
    let short = match text.split_once('/') {
        Some((collection, rkey)) => format!("{}/{rkey}", collection.rsplit('.').next().unwrap_or(collection)),
        None => text,
    };
    // Printed keys are ASCII, so any byte ends a character.
    if short.len() > 32 { format!("{}...", &short[..29]) } else { short }
}

/// The end of a CID, which tells nodes apart well enough.
fn short(cid: &Cid) -> String {
    let text = cid.to_string();
    text[text.len().saturating_sub(7)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mst::KeyEdit;

    fn edit(tree: &Tree, keys: &[&str], value: Option<&[u8]>) -> Tree {
        let value = value.map(|value| Cid::for_cbor(value).into());
        let batch: Vec<_> = keys
            .iter()
            .map(|key| KeyEdit { key: Key::try_from(*key).unwrap(), value: value.clone() })
            .collect();
        tree.edit(&batch).unwrap().tree
    }

    /// Every node of a tree is drawn once, every child link is an edge, and the text is well-formed enough to
    /// keep hostile keys inside their quotes.
    #[test]
    fn draws_what_is_there() {
        let keys = ["a.b.c/1", "a.b.c/2", "a.b.c/\"<&>\n", "a.b.d/884976f5", "88bfafc7", "2a92d355"];
        let tree = edit(&Tree::empty(), &keys, Some(b"x"));
        let nodes = tree.nodes().count();
        let dot = Picture::of(&tree).to_dot();
        assert_eq!(dot.matches("[label=").count(), nodes);
        assert_eq!(dot.matches(" -> ").count(), nodes - 1);
        assert_eq!(dot.matches('\n').count(), dot.lines().count());
        let svg = Picture::of(&tree).to_svg();
        assert_eq!(svg.matches("<rect").count(), nodes);
        assert_eq!(svg.matches("<path").count(), nodes - 1);
        assert!(svg.contains("&lt;&amp;&gt;") && !svg.contains("<&>"));
        assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count());
    }

    #[test]
    fn colours_tell_old_from_new() {
        let old = edit(&Tree::empty(), &["blue", "a", "b", "c", "x", "z"], Some(b"x"));
        let new = edit(&old, &["c"], None);
        let diff = crate::mst::diff(&old, &new).unwrap();
        let picture = Picture::of_change(&old, &new);
        for (text, mark) in [(picture.to_dot(), "fillcolor="), (picture.to_svg(), "fill=")] {
            let count = |side: Side| text.matches(&format!("{mark}\"{}\"", side.fill())).count();
            assert_eq!(
                (count(Side::Old), count(Side::New)),
                (diff.deleted.len(), diff.created.len()),
                "{text}"
            );
        }
        assert_eq!(picture.nodes.len(), old.nodes().count() + diff.created.len());
        let stub = Tree::from_root(new.root_cid(), new.height());
        assert!(Picture::of(&stub).to_dot().contains("dashed"));
        assert!(Picture::of(&stub).to_svg().contains("stroke-dasharray"));
    }
}
