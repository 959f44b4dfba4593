//! The DOT language of GraphViz.

use std::fmt::Write;

use super::{DrawnNode, Picture, short};

pub(super) fn write(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph mst {\n  node [shape=record, style=filled, fontname=monospace, fontsize=10];\n",
    );
    for node in &picture.nodes {
        let style = if node.labels.is_some() { "filled" } else { "filled,dashed" };
        let label = record(node);
        let fill = node.side.fill();
        writeln!(out, "  {} [label=\"{label}\", style=\"{style}\", fillcolor=\"{fill}\"];", node.cid)
            .expect("text takes writes");
    }
    for node in &picture.nodes {
        for (slot, child) in &node.children {
            writeln!(out, "  {}:s{slot}:s -> {child};", node.cid).expect("text takes writes");
        }
    }
    out.push_str("}\n");
    out
}

/// A record with a field for each slot and each entry in between, under the node's CID and height.
fn record(node: &DrawnNode) -> String {
    let mut fields = String::new();
    match &node.labels {
        None => fields.push_str("not loaded"),
        Some(labels) => {
            fields.push_str("<s0>");
            for (index, label) in labels.iter().enumerate() {
                fields.push('|');
                escape(label, &mut fields);
                write!(fields, "|<s{}>", index + 1).expect("text takes writes");
            }
        }
    }
    format!("{{{} @{}|{{{fields}}}}}", short(&node.cid), node.height)
}

fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        if matches!(char, '"' | '\\' | '{' | '}' | '|' | '<' | '>' | ' ') {
            out.push('\\');
        }
        out.push(char);
    }
}
