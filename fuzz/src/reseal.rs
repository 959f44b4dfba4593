//! Hashes and signatures stop a mutation at once. This puts them right again, so that what lies behind is reached.

use std::collections::HashMap;

use arroba_core::car::Writer;
use arroba_core::data::{Cid, Codec};
use arroba_core::repo::Commit;

use crate::repository;

/// The sections of a CAR file after its header, without checks, as far as they can be told apart.
fn sections(file: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rest = file;
    let mut sections = Vec::new();
    let mut header = true;
    while let Some((length, tail)) = varint(rest) {
        let (body, tail) = tail.split_at(length.min(tail.len()));
        if !std::mem::take(&mut header) && body.len() >= Cid::BYTES {
            let (cid, data) = body.split_at(Cid::BYTES);
            sections.push((cid.to_vec(), data.to_vec()));
        }
        rest = tail;
    }
    sections
}

fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (i, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(i + 1..)?));
        }
    }
    None
}

/// A CAR file with its CIDs, the links between its blocks and its signature put right.
///
/// Blocks are taken from the last to the first, because children come after their parents; the first block is taken
/// for the commit.
pub fn reseal(file: &[u8]) -> Vec<u8> {
    let mut renamed: HashMap<Vec<u8>, [u8; Cid::BYTES]> = HashMap::new();
    let mut blocks = Vec::new();
    let sections = sections(file);
    let last = sections.len().saturating_sub(1);
    for (i, (old, mut data)) in sections.into_iter().rev().enumerate() {
        relink(&mut data, &renamed);
        if i == last
            && let Ok(commit) = Commit::decode(&data)
        {
            let key = repository::key();
            data = Commit::sign(repository::owner(), commit.data, commit.rev, commit.prev, &key).encode();
        }
        let codec = if old.get(1) == Some(&0x55) { Codec::Raw } else { Codec::DagCbor };
        let cid = if codec == Codec::Raw { Cid::for_raw(&data) } else { Cid::for_cbor(&data) };
        renamed.insert(old, cid.to_bytes());
        blocks.push((cid, data));
    }
    let roots: Vec<Cid> = blocks.last().map(|(cid, _)| *cid).into_iter().collect();
    let mut writer = Writer::new(&roots);
    for (cid, data) in blocks.iter().rev() {
        writer.block(cid, data);
    }
    writer.finish().to_vec()
}

/// Replaces the old CIDs in a block by the new ones.
fn relink(data: &mut [u8], renamed: &HashMap<Vec<u8>, [u8; Cid::BYTES]>) {
    let mut at = 0;
    while let Some(window) = data.get_mut(at..at + Cid::BYTES) {
        match renamed.get(&window[..]) {
            Some(new) => {
                window.copy_from_slice(new);
                at += Cid::BYTES;
            }
            None => at += 1,
        }
    }
}
