//! All repositories, by DID.

use arroba_core::syntax::Did;

use super::{
    Reads, Select,
    api::{property_filter::Operator, property_order::Direction, value::ValueType},
    entity::{ArrobaRepo, AtpRepo},
    handles::did_of,
    rows::{self, Found},
    store::Datastore,
};
use crate::{
    error::StoreError,
    repo::{RepoCursor, RepoEntry, RepoPage, RepoStatus},
};

/// Accounts that are being created come first: they have no row of the Python library's kind yet. One that gets it while a listing
/// goes on may come in both parts.
const CREATING: &str = "creating ";

impl Datastore {
    /// One page of all repositories.
    pub(super) async fn list(
        &self,
        after: Option<&RepoCursor>,
        limit: usize,
    ) -> Result<RepoPage, StoreError> {
        let parse = |text: &str| Did::parse(text).map_err(|_| StoreError::Cursor);
        let (creating, after) = match after.map(RepoCursor::as_str) {
            None => (true, None),
            Some(CREATING) => (false, None),
            Some(text) => match text.strip_prefix(CREATING) {
                Some(did) => (true, Some(parse(did)?)),
                None => (false, Some(parse(text)?)),
            },
        };
        if !creating {
            return self.part(AtpRepo::KIND, after, limit, "").await;
        }
        let mut page = self.part(ArrobaRepo::KIND, after, limit, CREATING).await?;
        if page.next.is_some() {
            return Ok(page);
        }
        if page.repos.len() == limit {
            page.next = Some(RepoCursor::new(CREATING));
            return Ok(page);
        }
        let rest = self.part(AtpRepo::KIND, None, limit - page.repos.len(), "").await?;
        page.repos.extend(rest.repos);
        page.next = rest.next;
        Ok(page)
    }

    /// One page of the accounts that are being created.
    pub(super) async fn list_unfinished(
        &self,
        after: Option<&RepoCursor>,
        limit: usize,
    ) -> Result<RepoPage, StoreError> {
        let after =
            after.map(|after| after.as_str().strip_prefix(CREATING).ok_or(StoreError::Cursor)).transpose()?;
        let after = after.map(Did::parse).transpose().map_err(|_| StoreError::Cursor)?;
        self.part(ArrobaRepo::KIND, after, limit, CREATING).await
    }

    async fn part(
        &self,
        kind: &str,
        after: Option<Did>,
        limit: usize,
        prefix: &str,
    ) -> Result<RepoPage, StoreError> {
        let client = self.client();
        let limit = u16::try_from(limit).unwrap_or(MOST).min(MOST);
        let mut query = Select::from(kind);
        let creating = kind == ArrobaRepo::KIND;
        if creating {
            let word = ValueType::StringValue("creating".to_owned());
            query = query.and("underlying", Operator::Equal, word);
        }
        if let Some(after) = after {
            let key = client.database().key(kind, after.as_str());
            query = query.and(Select::KEY, Operator::GreaterThan, ValueType::KeyValue(key));
        }
        let query = query.order(Select::KEY, Direction::Ascending).limit(limit.saturating_add(1)).keys_only();
        let results = client.query(query.into(), Reads::Strong).await?.results;
        let mut dids: Vec<Did> = results.iter().filter_map(did_of).collect();
        let more = results.len() > usize::from(limit);
        dids.truncate(limit.into());
        let next = dids.last().filter(|_| more).map(|last| RepoCursor::new(format!("{prefix}{last}")));
        let found = Found::read(&dids, client).await?;
        let is_here = |found: &Found| {
            let creating = found.underlying() == Some(RepoStatus::Creating);
            creating == (kind == ArrobaRepo::KIND)
        };
        let listed = rows::with_heads(found.into_iter().filter(is_here).collect(), self.blocks()).await?;
        let entry = |(found, head): (Found, Option<crate::repo::Head>)| {
            let rev = head.as_ref().map(|head| head.rev);
            found.row(rev).map(|repo| RepoEntry { repo, head })
        };
        Ok(RepoPage { repos: listed.into_iter().filter_map(entry).collect(), next })
    }
}

/// The most entities of one page.
const MOST: u16 = 1_000;
