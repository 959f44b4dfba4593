//! Lexicons that the host does not know, resolved when someone writes a record of their type.

use std::collections::HashMap;
use std::sync::Arc;

use arroba_core::lexicon::{Catalog, Unknown};
use arroba_core::syntax::Nsid;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use super::{CommitOptions, RepoHost, Write};
use crate::records::Validate;

/// How many lexicons are resolved for one call. Records of the others count as of unknown type, until a later call.
const MAX_LEARNED: usize = 8;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Learned(HashMap<Nsid, Arc<Catalog>>);

impl Learned {
    /// The lexicons to check records of this collection with, if they were found: the host's own with others on top.
    pub(super) fn of(&self, collection: &Nsid) -> Option<&Catalog> {
        self.0.get(collection).map(|catalog| &**catalog)
    }
}

impl RepoHost {
    /// Looks for the lexicons of the collections written to that the host does not know, if it was told to.
    ///
    /// This is before the repo's turn, takes no longer than [`HostLimits::lexicon_wait`](super::HostLimits) and fails nothing:
    /// what is not found in time is unknown. A resolution that took too long goes on, and its answer is there for the next write.
    pub(super) async fn learn<'w>(
        &self,
        batches: impl IntoIterator<Item = (&'w [Write], &'w CommitOptions)> + Send,
    ) -> Learned {
        let Some(resolver) = &self.0.lexicons else { return Learned::default() };
        let mut wanted: Vec<Nsid> = Vec::new();
        for (writes, options) in batches {
            // Nobody looks at these records; whether there is a lexicon decides nothing but where the host refuses unknown ones.
            let checked = options.validate != Validate::Never || self.0.unknown == Unknown::Refuse;
            let puts = writes.iter().filter(|write| checked && !matches!(write, Write::Delete { .. }));
            for collection in puts.map(Write::collection) {
                if wanted.len() < MAX_LEARNED
                    && !self.0.catalog.knows_record(collection)
                    && !wanted.contains(collection)
                {
                    wanted.push(collection.clone());
                }
            }
        }
        let deadline = Instant::now() + self.0.limits.lexicon_wait;
        let found = wanted.into_iter().map(async |name| {
            let gathered = timeout_at(deadline, resolver.gather(&name, &self.0.catalog)).await;
            match gathered {
                Ok(Ok(gathered)) => Some((name, gathered.catalog)),
                Ok(Err(error)) => {
                    tracing::debug!(lexicon = %name, error = &error as &dyn std::error::Error, "lexicon does not resolve");
                    None
                }
                Err(_) => {
                    tracing::debug!(lexicon = %name, "lexicon does not resolve in time");
                    None
                }
            }
        });
        let found: Vec<_> = found.collect::<FuturesUnordered<_>>().collect().await;
        Learned(found.into_iter().flatten().collect())
    }
}
