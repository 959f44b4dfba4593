//! SVG: a row for each height, each node over the middle of its children where there is room.

use std::fmt::Write;

use super::{DrawnNode, Picture, short};

const ROW: usize = 84;
const BOX: usize = 40;
const GAP: usize = 16;
const CHARACTER: usize = 7;

pub(super) fn write(picture: &Picture) -> String {
    let lefts = place(picture);
    let top = picture.nodes.iter().map(|node| node.height).max().unwrap_or(0);
    let right = |index: usize| lefts[index] + width(&picture.nodes[index]);
    let total = (0..lefts.len()).map(right).max().unwrap_or(0) + GAP;
    let tall = (usize::from(top) + 1) * ROW;
    let mut out = String::new();
    let y = |node: &DrawnNode| usize::from(top - node.height) * ROW + GAP;
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"{tall}\" viewBox=\"0 0 {total} {tall}\" \
         font-family=\"monospace\" font-size=\"11\">\n"
    );
    out.push_str(&head);
    for (index, node) in picture.nodes.iter().enumerate() {
        for (slot, child) in &node.children {
            let Some(below) = picture.index.get(child) else { continue };
            let slots = node.labels.as_ref().map_or(1, |labels| labels.len() + 1);
            let x = lefts[index] + width(node) * (2 * slot + 1) / (2 * slots);
            let target = &picture.nodes[*below];
            let to = lefts[*below] + width(target) / 2;
            writeln!(
                out,
                "<path d=\"M{x} {} L{to} {}\" stroke=\"#889\" fill=\"none\"/>",
                y(node) + BOX,
                y(target)
            )
            .expect("text takes writes");
        }
    }
    for (node, left) in picture.nodes.iter().zip(&lefts) {
        draw(node, *left, y(node), &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// The left edge of each node, row by row from the bottom.
fn place(picture: &Picture) -> Vec<usize> {
    let mut lefts = vec![GAP; picture.nodes.len()];
    let mut start = picture.nodes.len();
    while start > 0 {
        let end = start;
        let height = picture.nodes[end - 1].height;
        while start > 0 && picture.nodes[start - 1].height == height {
            start -= 1;
        }
        let mut free = GAP;
        for index in start..end {
            let node = &picture.nodes[index];
            let below = node.children.iter().filter_map(|(_, child)| picture.index.get(child));
            let middles: Vec<usize> = below.map(|i| lefts[*i] + width(&picture.nodes[*i]) / 2).collect();
            let wanted = match middles.len() {
                0 => free,
                count => (middles.iter().sum::<usize>() / count).saturating_sub(width(node) / 2),
            };
            lefts[index] = wanted.max(free);
            free = lefts[index] + width(node) + GAP;
        }
    }
    lefts
}

/// What a node shows: its CID and height above, its keys below.
fn lines(node: &DrawnNode) -> [String; 2] {
    let keys = match &node.labels {
        None => "not loaded".to_owned(),
        Some(labels) if labels.is_empty() => "-".to_owned(),
        Some(labels) => labels.join("  "),
    };
    [format!("{} @{}", short(&node.cid), node.height), keys]
}

fn width(node: &DrawnNode) -> usize {
    lines(node).iter().map(String::len).max().unwrap_or(0) * CHARACTER + 16
}

fn draw(node: &DrawnNode, left: usize, top: usize, out: &mut String) {
    let [head, keys] = lines(node);
    let dashes = if node.labels.is_some() { "" } else { " stroke-dasharray=\"4 3\"" };
    let (wide, fill) = (width(node), node.side.fill());
    write!(
        out,
        "<g><title>{}</title><rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{BOX}\" rx=\"4\" \
         fill=\"{fill}\" stroke=\"#556\"{dashes}/><text x=\"{x}\" y=\"{}\" fill=\"#667\">{head}</text><text \
         x=\"{x}\" y=\"{}\">",
        node.cid,
        top + 15,
        top + 32,
        x = left + 8,
    )
    .expect("text takes writes");
    for char in keys.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            char => out.push(char),
        }
    }
    out.push_str("</text></g>\n");
}
