//! What our operations came to, in the words that both sides use.

use anyhow::{Context as _, bail};
use arroba::Repo;
use arroba::core::car;
use arroba::core::data::Cid;
use arroba::core::event::Frame;
use arroba::store::RecordQuery;
use bytes::Bytes;

use crate::op::Outcome;
use crate::workload::digest;

/// Records read at once.
const PAGE: usize = 500;

impl Outcome {
    pub(super) fn of_root(root: Cid) -> Self {
        Self { root: Some(root.to_string()), ..Self::default() }
    }
}

/// Everything that is in a repo.
pub(super) async fn state(repo: &Repo) -> anyhow::Result<Outcome> {
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let query = RecordQuery::all(after, PAGE);
        let page = repo.host().store().records(repo.did(), query).await?.context("there is no repo")?;
        after = page.records.last().map(|record| record.path.clone());
        lines.extend(page.records.iter().map(|record| format!("{} {}", record.path, record.cid)));
        if !page.more {
            break;
        }
    }
    let root = repo.tree().await?.root();
    Ok(Outcome { records: Some(lines.len()), listing: Some(digest(&lines)), ..Outcome::of_root(root) })
}

/// What an export has.
pub(super) fn exported(file: &[u8]) -> anyhow::Result<Outcome> {
    let car = car::read_all(file, &car::Limits::REPOSITORY)?;
    let blocks = car.blocks.len();
    let mut cids: Vec<_> =
        car.blocks.keys().filter(|cid| !car.roots.contains(cid)).map(Cid::to_string).collect();
    cids.sort();
    Ok(Outcome { blocks: Some(blocks), cids: Some(digest(&cids)), ..Outcome::default() })
}

/// The writes in frames of commits.
pub(super) fn written(frames: &[Bytes]) -> anyhow::Result<Outcome> {
    let mut lines = Vec::new();
    for frame in frames {
        let Frame::Commit(seq, commit) = Frame::decode(frame)? else {
            bail!("an event of another kind where only commits are expected");
        };
        for op in &commit.ops {
            let cid = op.cid.context("a write without a record")?;
            lines.push(format!("{seq} {} {} {cid}", op.action.as_str(), op.path));
        }
    }
    Ok(Outcome { writes: Some(digest(&lines)), ..Outcome::default() })
}
