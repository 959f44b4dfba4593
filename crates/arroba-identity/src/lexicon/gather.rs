//! A lexicon with what it refers to.

use super::{Lexicon, LexiconError, LexiconResolver};
use arroba_core::{
    lexicon::{Catalog, Reference},
    syntax::Nsid,
};
use futures::{StreamExt as _, stream};
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

/// How many lexicons are fetched for one, itself included.
pub const MAX_GATHERED: usize = 32;
/// How many bytes their records may have together.
pub const MAX_GATHERED_BYTES: usize = 512 * 1024;
/// How many are asked for at a time.
const CONCURRENT: usize = 8;

/// A lexicon with what it refers to, as far as that could be found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Gathered {
    /// What was known before, with what was found on top.
    pub catalog: Arc<Catalog>,
    /// What is referred to and was not found. Data that has something there cannot be checked.
    pub missing: Vec<(Nsid, LexiconError)>,
}

impl LexiconResolver {
    /// The lexicon of this name and every one that its main definition refers to, on the way that references go, on top of
    /// a catalog of what is known: what that has is not asked for.
    ///
    /// References may go in circles: each name is asked for once. No more than [`MAX_GATHERED`] are fetched, and no more
    /// than [`MAX_GATHERED_BYTES`]; the others are missing, with [`LexiconError::TooMany`].
    ///
    /// # Errors
    /// If the lexicon itself does not resolve. One that it refers to and that does not resolve is among the missing.
    pub async fn gather(&self, name: &Nsid, known: &Arc<Catalog>) -> Result<Gathered, LexiconError> {
        if known.get(name).is_some() {
            return Ok(Gathered { catalog: Arc::clone(known), missing: Vec::new() });
        }
        let mut gathering = Gathering::new(known);
        let lexicon = self.resolve(name).await?;
        gathering.take(&lexicon);
        gathering.follow(Reference::new(name, "main"));
        loop {
            let wanted = gathering.wanted();
            if wanted.is_empty() {
                return Ok(gathering.end());
            }
            let answers = stream::iter(wanted)
                .map(|name| async move { (self.resolve(&name).await, name) })
                .buffered(CONCURRENT)
                .collect::<Vec<_>>();
            for (answer, name) in answers.await {
                match answer {
                    Ok(lexicon) => gathering.take(&lexicon),
                    Err(error) => gathering.missing.push((name, error)),
                }
            }
            gathering.resume();
        }
    }
}

struct Gathering {
    catalog: Catalog,
    known: Arc<Catalog>,
    missing: Vec<(Nsid, LexiconError)>,
    asked: BTreeSet<Nsid>,
    seen: HashSet<Reference>,
    /// References into documents that are not there yet.
    waiting: Vec<Reference>,
    bytes: usize,
}

impl Gathering {
    fn new(known: &Arc<Catalog>) -> Self {
        Self {
            catalog: Catalog::over(Arc::clone(known)),
            known: Arc::clone(known),
            missing: Vec::new(),
            asked: BTreeSet::new(),
            seen: HashSet::new(),
            waiting: Vec::new(),
            bytes: 0,
        }
    }

    /// Adds a lexicon that was found.
    fn take(&mut self, lexicon: &Lexicon) {
        let name = lexicon.nsid().clone();
        self.asked.insert(name.clone());
        self.bytes = self.bytes.saturating_add(lexicon.record.len());
        // Each name is asked for once and is not among the known ones, so that there is no other of this name.
        if self.bytes > MAX_GATHERED_BYTES || self.catalog.add(Arc::clone(&lexicon.document)).is_err() {
            self.missing.push((name, LexiconError::TooMany));
        }
    }

    /// Goes along the references from one on, as far as documents are there.
    fn follow(&mut self, from: Reference) {
        let mut todo = vec![from];
        while let Some(reference) = todo.pop() {
            let (document, definition) = reference.parts();
            let Ok(document) = Nsid::parse(document) else { continue };
            // What is known is whole by itself.
            if self.seen.contains(&reference) || self.known.get(&document).is_some() {
                continue;
            }
            match self.catalog.get(&document) {
                Some(found) => todo.extend(found.references_of(definition)),
                None => self.waiting.push(reference.clone()),
            }
            self.seen.insert(reference);
        }
    }

    /// The documents to be asked for next, each once.
    fn wanted(&mut self) -> Vec<Nsid> {
        let mut wanted = Vec::new();
        for reference in &self.waiting {
            let Ok(document) = Nsid::parse(reference.parts().0) else { continue };
            if !self.asked.insert(document.clone()) {
                continue;
            }
            if self.asked.len() > MAX_GATHERED || self.bytes > MAX_GATHERED_BYTES {
                self.missing.push((document, LexiconError::TooMany));
            } else {
                wanted.push(document);
            }
        }
        wanted
    }

    /// Goes on where documents were waited for.
    fn resume(&mut self) {
        for reference in std::mem::take(&mut self.waiting) {
            let found =
                Nsid::parse(reference.parts().0).is_ok_and(|document| self.catalog.get(&document).is_some());
            if found {
                self.seen.remove(&reference);
                self.follow(reference);
            }
        }
    }

    fn end(self) -> Gathered {
        Gathered { catalog: Arc::new(self.catalog), missing: self.missing }
    }
}
