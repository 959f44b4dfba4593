//! What was written to a repo since a revision.

use arroba_core::event::EventKind;
use arroba_core::syntax::Tid;
use arroba_store::StoreError;

use super::{HostError, Repo};
use crate::firehose::typed::{Committed, CommittedWrite, HostEvent};

/// How many events are read at once.
const PAGE: usize = 500;

/// How much earlier than its revision says a commit may have been logged: clocks are set back at times.
const SLACK_MICROS: u64 = 10 * 60 * 1_000_000;

/// What was written to a repo since a revision, as far as the event log still has it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WritesSince {
    /// The commits, oldest first, each with its writes and the records written.
    pub commits: Vec<Committed>,
    /// Whether these are all commits that directly follow the revision. If not, the log no longer has some of them, or they were
    /// never there: an import replaces a repo without one. Then only the repo itself says what is there now.
    pub complete: bool,
    /// Whether there are more: ask again with the revision of the last commit.
    pub more: bool,
}

impl WritesSince {
    /// The writes of all commits, in order.
    pub fn writes(&self) -> impl Iterator<Item = &CommittedWrite> {
        self.commits.iter().flat_map(|commit| &commit.writes)
    }
}

impl Repo {
    /// What was created, updated and deleted after the revision `rev`, in at most `limit` commits, oldest first, as the event log has
    /// it.
    ///
    /// Events are kept for the host's window only, and deletion or a takedown hides them. So the answer says whether it is complete:
    /// whether the first commit follows `rev` and each other one the one before it. On Datastore it costs what the repo itself stored
    /// since `rev`; other stores look through all events since then, those of other repos too: there it is meant for recent revisions.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`].
    pub async fn writes_since(&self, rev: Tid, limit: usize) -> Result<WritesSince, HostError> {
        let (_, newest) = self.head().await?;
        if newest <= rev {
            return Ok(WritesSince { complete: true, ..WritesSince::default() });
        }
        let firehose = self.host().firehose();
        let edge = self.host().store().events(self.host().newest_seq(), 1).await?;
        let oldest = edge.oldest.saturating_sub(1);
        // A store that links commits numbers them before they are signed: the rev is made of the number.
        let numbered = self.host().store().links_commits();
        let near = match numbered {
            true => rev.micros().clamp(oldest, edge.newest.max(oldest)),
            false => {
                let time = rev.micros().saturating_sub(SLACK_MICROS);
                firehose.first_since(time, oldest, edge.newest).await?
            }
        };
        let found = self.commits_after(near, rev, limit).await?;
        if found.complete || numbered || near <= oldest {
            return Ok(found);
        }
        // The clock ran otherwise than the revisions say.
        self.commits_after(oldest, rev, limit).await
    }

    async fn commits_after(&self, cursor: u64, rev: Tid, limit: usize) -> Result<WritesSince, HostError> {
        let mut found = WritesSince { complete: true, ..WritesSince::default() };
        let (mut cursor, mut last) = (cursor, rev);
        loop {
            // One more than is left tells whether there is more.
            let wanted = limit.saturating_sub(found.commits.len()).saturating_add(1).min(PAGE);
            let page = self.host().store().repo_events(self.did(), cursor, wanted).await?;
            for event in &page.events {
                if event.kind != EventKind::Commit {
                    continue;
                }
                let decoded = HostEvent::decode(event)
                    .map_err(|error| StoreError::corrupt_by(format!("event {}", event.seq), error))?;
                let HostEvent::Commit(commit) = decoded else { continue };
                if commit.event.rev <= rev {
                    continue;
                }
                if found.commits.len() == limit {
                    found.more = true;
                    return Ok(found);
                }
                // The first may follow an older revision than the one asked for, which need not be one of the repo's.
                found.complete &= commit.event.since.is_none_or(|since| since <= last);
                last = commit.event.rev;
                found.commits.push(*commit);
            }
            if page.next <= cursor || page.next >= page.newest {
                break;
            }
            cursor = page.next;
        }
        let (_, newest) = self.head().await?;
        found.complete &= newest <= last;
        Ok(found)
    }
}
