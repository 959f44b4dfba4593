//! SVG: a row for each height, a line for each key, each node over the middle of its children where there is
//! room.

use std::fmt::Write;

use super::{DrawnNode, Picture, short};

const GAP: usize = 16;
const BETWEEN_ROWS: usize = 44;
const LINE: usize = 15;
const CHARACTER: usize = 7;

pub(super) fn write(picture: &Picture) -> String {
    let (lefts, tops) = (lefts(picture), tops(picture));
    let corners = || picture.nodes.iter().zip(&lefts).zip(&tops);
    let wide = corners().map(|((node, left), _)| left + width(node)).max().unwrap_or(0) + GAP;
    let tall = corners().map(|((node, _), top)| top + tallness(node)).max().unwrap_or(0) + GAP;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide}\" height=\"{tall}\" viewBox=\"0 0 {wide} {tall}\" \
         font-family=\"monospace\" font-size=\"11\">\n"
    );
    for ((node, left), top) in corners() {
        let bottom = top + tallness(node);
        let slots = node.labels.as_ref().map_or(1, |labels| labels.len() + 1);
        for (slot, child) in &node.children {
            let Some(below) = picture.index.get(child) else { continue };
            let x = left + width(node) * (2 * slot + 1) / (2 * slots);
            let (to, y) = (lefts[*below] + width(&picture.nodes[*below]) / 2, tops[*below]);
            writeln!(out, "<path d=\"M{x} {bottom} L{to} {y}\" stroke=\"#889\" fill=\"none\"/>")
                .expect("text takes writes");
        }
    }
    for ((node, left), top) in corners() {
        draw(node, *left, *top, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

/// The nodes of each row, from the highest down.
fn rows(picture: &Picture) -> Vec<std::ops::Range<usize>> {
    let mut rows = Vec::new();
    let mut start = 0;
    for row in picture.nodes.chunk_by(|a, b| a.height == b.height) {
        rows.push(start..start + row.len());
        start += row.len();
    }
    rows
}

/// The left edge of each node, row by row from the bottom.
fn lefts(picture: &Picture) -> Vec<usize> {
    let mut lefts = vec![GAP; picture.nodes.len()];
    for row in rows(picture).into_iter().rev() {
        let mut free = GAP;
        for index in row {
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

/// The upper edge of each node.
fn tops(picture: &Picture) -> Vec<usize> {
    let mut tops = Vec::with_capacity(picture.nodes.len());
    let mut top = GAP;
    for row in rows(picture) {
        let nodes = picture.nodes.get(row).unwrap_or_default();
        tops.extend(nodes.iter().map(|_| top));
        top += nodes.iter().map(tallness).max().unwrap_or(0) + BETWEEN_ROWS;
    }
    tops
}

/// What a node shows: its CID and height, then its keys.
fn lines(node: &DrawnNode) -> Vec<String> {
    let mut lines = vec![format!("{} @{}", short(&node.cid), node.height)];
    match &node.labels {
        None => lines.push("not loaded".to_owned()),
        Some(labels) => lines.extend(labels.iter().cloned()),
    }
    lines
}

fn width(node: &DrawnNode) -> usize {
    lines(node).iter().map(String::len).max().unwrap_or(0) * CHARACTER + GAP
}

fn tallness(node: &DrawnNode) -> usize {
    lines(node).len() * LINE + LINE / 2
}

fn draw(node: &DrawnNode, left: usize, top: usize, out: &mut String) {
    let dashes = if node.labels.is_some() { "" } else { " stroke-dasharray=\"4 3\"" };
    let (wide, tall, fill) = (width(node), tallness(node), node.side.fill());
    write!(
        out,
        "<g><title>{}</title><rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{tall}\" rx=\"4\" \
         fill=\"{fill}\" stroke=\"#556\"{dashes}/>",
        node.cid
    )
    .expect("text takes writes");
    for (line, text) in lines(node).iter().enumerate() {
        let (x, y, ink) = (left + GAP / 2, top + (line + 1) * LINE, if line == 0 { "#667" } else { "#000" });
        write!(out, "<text x=\"{x}\" y=\"{y}\" fill=\"{ink}\">").expect("text takes writes");
        for char in text.chars() {
            match char {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                char => out.push(char),
            }
        }
        out.push_str("</text>");
    }
    out.push_str("</g>\n");
}
