//! Which writes a caller may make.

use arroba_core::data::Link;
use arroba_core::event::Action;
use arroba_core::scopes::Permission;
use arroba_core::syntax::{AtIdentifier, Did, Nsid, RecordPath};
use arroba_lexicons::json::SwapRecord;
use arroba_store::RecordQuery;
use arroba_xrpc::{Result, XrpcError};

use super::{Service, store_failed};
use crate::auth::{Caller, Repos, UploadAuth, Viewer, not_taken_down};
use crate::host::{HostError, Write};

impl Service {
    /// The repo that `repo` names, if the caller may write to it.
    pub(super) async fn writable(&self, caller: &Caller, repo: &AtIdentifier) -> Result<Did> {
        let named = match repo {
            AtIdentifier::Did(did) => Some(did.clone()),
            AtIdentifier::Handle(handle) => {
                self.0.store().by_handle(handle).await.map_err(store_failed)?.map(|row| row.did)
            }
        };
        match named {
            Some(did) if caller.owns(&did) => Ok(did),
            Some(_) => Err(XrpcError::authentication_required("Invalid repo: not your own")),
            None => Err(XrpcError::new(http::StatusCode::FORBIDDEN, "AccountNotFound", "Account not found")),
        }
    }

    /// Whose a blob will be.
    pub(super) async fn uploads_for(&self, auth: &UploadAuth) -> Result<Did> {
        let caller = auth.caller();
        match (auth.repo(), &caller.repos) {
            (None, Repos::One(did)) => Ok(did.clone()),
            (None, Repos::All) => Err(XrpcError::invalid_request(
                "These credentials are of every repo: name one by the parameter repo, a DID or a handle",
            )),
            (Some(repo), _) => {
                let did = self.writable(caller, repo).await?;
                not_taken_down(self.readable(&did, &Viewer::Admin).await?.status)?;
                Ok(did)
            }
        }
    }

    /// The writes as the caller's permissions allow them.
    pub(super) async fn permitted(
        &self,
        caller: &Caller,
        did: &Did,
        writes: Vec<Write>,
    ) -> Result<Vec<Write>> {
        let mut permitted = Vec::with_capacity(writes.len());
        for write in writes {
            self.served(write.collection())?;
            let demand = |action| caller.demand(&Permission::repo(write.collection().clone(), action));
            permitted.push(match &write {
                Write::Create { .. } => demand(Action::Create).map(|()| write)?,
                Write::Update { .. } => demand(Action::Update).map(|()| write)?,
                Write::Delete { .. } => demand(Action::Delete).map(|()| write)?,
                Write::Put { .. } => self.permitted_put(caller, did, write).await?,
            });
        }
        Ok(permitted)
    }

    /// A put creates or replaces. A caller who may do one of these gets a write that can do nothing else, whatever happens to the
    /// record in between.
    async fn permitted_put(&self, caller: &Caller, did: &Did, write: Write) -> Result<Write> {
        let Write::Put { collection, rkey, content, swap } = write else { return Ok(write) };
        let may = |action| caller.scopes.allows(&Permission::repo(collection.clone(), action));
        if may(Action::Create) && may(Action::Update) {
            return Ok(Write::Put { collection, rkey, content, swap });
        }
        let path = RecordPath::new(collection.clone(), rkey.clone());
        let query = RecordQuery { visible_only: false, ..RecordQuery::one(path) };
        let page = self.0.store().records(did, query).await.map_err(store_failed)?;
        let current = page.and_then(|page| page.records.into_iter().next()).map(|record| record.cid);
        let action = if current.is_some() { Action::Update } else { Action::Create };
        caller.demand(&Permission::repo(collection.clone(), action))?;
        match (swap, current) {
            (SwapRecord::Any, None) => Ok(Write::Create { collection, rkey: Some(rkey), content }),
            (SwapRecord::Any, Some(_)) => Ok(Write::Update { collection, rkey, content }),
            // What the caller expects to be there leaves no choice either: the put fails if it is otherwise by then.
            (SwapRecord::Missing, None) | (SwapRecord::At(_), Some(_)) => {
                Ok(Write::Put { collection, rkey, content, swap })
            }
            (SwapRecord::Missing, Some(_)) | (SwapRecord::At(_), None) => {
                Err(HostError::RecordSwapped { actual: current.map(Link::Cid) }.into())
            }
        }
    }

    /// Whether records of a collection are served here.
    pub(super) fn served(&self, collection: &Nsid) -> Result<()> {
        if self.0.policies().collections.has(collection) {
            return Ok(());
        }
        Err(XrpcError::invalid_request(format!("{collection} not supported")))
    }
}
