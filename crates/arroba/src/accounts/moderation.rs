//! What the operator does to accounts.

use arroba_core::syntax::{AtUri, Datetime, Did, RecordPath};
use arroba_lexicons::com_atproto::admin::{AccountView, RepoBlobRef, RepoRef, StatusAttr, Subject as Wire};
use arroba_lexicons::com_atproto::repo::StrongRef;
use arroba_lexicons::com_atproto::server::{InviteCode, InviteCodeUse};
use arroba_store::accounts::Invite;
use arroba_store::{RecordQuery, RepoStatus, Subject};
use arroba_xrpc::{Result, XrpcError};

use super::{Logins, account_failed};
use crate::auth::AdminAuth;
use crate::environment::datetime;
use crate::host::{Announcement, HostError};
use crate::service::store_failed;

/// What holds of a subject.
pub(crate) struct SubjectStatus {
    pub(crate) subject: Wire,
    pub(crate) takedown: Option<StatusAttr>,
    pub(crate) deactivated: Option<StatusAttr>,
}

impl Logins {
    /// An account as the operator sees it.
    pub(crate) async fn account_view(&self, _proof: &AdminAuth, did: &Did) -> Result<AccountView> {
        let (account, repo) =
            self.load(did).await?.ok_or_else(|| XrpcError::named("NotFound", "Account not found"))?;
        let invited_by = match &account.invite {
            Some(code) => self.0.accounts.invite(code).await.map_err(account_failed)?,
            None => None,
        };
        let invites = self.0.accounts.invites_of(did).await.map_err(account_failed)?;
        Ok(AccountView {
            did: account.did,
            handle: Self::shown_handle(repo.handle)?,
            email: account.email,
            related_records: None,
            indexed_at: datetime(account.created),
            invited_by: invited_by.map(wire_invite),
            invites: Some(invites.into_iter().map(wire_invite).collect()),
            invites_disabled: Some(false),
            email_confirmed_at: account.email_confirmed.map(datetime),
            invite_note: None,
            deactivated_at: account.deactivated.map(datetime),
            threat_signatures: None,
        })
    }

    /// Deletes an account and its repository. What a first call left half-way a second one finishes.
    pub(crate) async fn delete(&self, _proof: &AdminAuth, did: &Did) -> Result<()> {
        match self.0.host.delete(did).await {
            Ok(()) | Err(HostError::RepoNotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.0.accounts.delete(did).await.map_err(account_failed)
    }

    /// Changes what holds of a subject.
    pub(crate) async fn moderate(
        &self,
        proof: &AdminAuth,
        subject: &Wire,
        takedown: Option<&StatusAttr>,
        deactivated: Option<&StatusAttr>,
    ) -> Result<()> {
        let reference = takedown.map(reference);
        match subject {
            Wire::Account(RepoRef { did }) => self.moderate_account(proof, did, reference, deactivated).await,
            Wire::Record(StrongRef { uri, .. }) => {
                let (did, path) = self.record_of(uri).await?;
                self.hide(&did, Subject::Record(path), reference).await
            }
            Wire::Blob(RepoBlobRef { did, cid, .. }) => self.hide(did, Subject::Blob(*cid), reference).await,
        }
    }

    async fn hide(&self, did: &Did, subject: Subject, reference: Option<Option<String>>) -> Result<()> {
        match reference {
            Some(reference) => Ok(self.0.host.hide(did, subject, reference).await?),
            None => Ok(()),
        }
    }

    async fn moderate_account(
        &self,
        _proof: &AdminAuth,
        did: &Did,
        takedown: Option<Option<String>>,
        deactivated: Option<&StatusAttr>,
    ) -> Result<()> {
        let activates = deactivated.is_some_and(|deactivated| !deactivated.applied);
        if activates && matches!(takedown, Some(Some(_))) {
            return Err(XrpcError::invalid_request(
                "Cannot activate and takedown an account at the same time",
            ));
        }
        if takedown.is_none() && deactivated.is_none() {
            return Ok(self.0.host.announce(did, [Announcement::Account]).await?);
        }
        if let Some(reference) = takedown {
            let down = reference.is_some();
            self.0.host.take_down(did, reference).await?;
            if down {
                self.0.accounts.end_sessions(did).await.map_err(account_failed)?;
            }
        }
        match deactivated {
            Some(deactivated) if deactivated.applied => self.deactivate(did, None).await,
            Some(_) => self.reactivate(did).await,
            None => Ok(()),
        }
    }

    /// What holds of a subject now: an account, a record, or a blob of an account.
    pub(crate) async fn subject_status(
        &self,
        _proof: &AdminAuth,
        did: Option<Did>,
        uri: Option<AtUri>,
        blob: Option<arroba_core::data::Cid>,
    ) -> Result<SubjectStatus> {
        match (did, uri, blob) {
            (Some(did), _, Some(cid)) => {
                let takedown = self.hidden(&did, &Subject::Blob(cid)).await?;
                let known = self.0.host.blob_index().blob(&did, &cid).await.map_err(store_failed)?;
                if takedown.is_none() && known.is_none() {
                    return Err(no_subject());
                }
                let subject = Wire::Blob(RepoBlobRef { did, cid, record_uri: None });
                Ok(SubjectStatus { subject, takedown: Some(attribute(takedown)), deactivated: None })
            }
            (None, _, Some(_)) => Err(XrpcError::invalid_request("Must provide a did to request blob state")),
            (_, Some(uri), None) => {
                let (did, path) = self.record_of(&uri).await?;
                let query = RecordQuery { visible_only: false, ..RecordQuery::one(path.clone()) };
                let page = self.0.host.store().records(&did, query).await.map_err(store_failed)?;
                let record = page.and_then(|page| page.records.into_iter().next()).ok_or_else(no_subject)?;
                let takedown = self.hidden(&did, &Subject::Record(path)).await?;
                let subject = Wire::Record(StrongRef { uri, cid: record.cid });
                Ok(SubjectStatus { subject, takedown: Some(attribute(takedown)), deactivated: None })
            }
            (Some(did), None, None) => {
                let (_, repo) = self.load(&did).await?.ok_or_else(no_subject)?;
                let deactivated = repo.underlying == RepoStatus::Deactivated;
                Ok(SubjectStatus {
                    subject: Wire::Account(RepoRef { did }),
                    takedown: Some(attribute(repo.takedown)),
                    deactivated: Some(StatusAttr { applied: deactivated, reference: None }),
                })
            }
            (None, None, None) => Err(XrpcError::invalid_request("No provided subject")),
        }
    }

    async fn hidden(&self, did: &Did, subject: &Subject) -> Result<Option<String>> {
        self.0.host.store().hidden(did, subject).await.map_err(store_failed)
    }

    /// The repository and path that an address names.
    async fn record_of(&self, uri: &AtUri) -> Result<(Did, RecordPath)> {
        let path = uri.path().ok_or_else(|| XrpcError::invalid_request("The uri does not name a record"))?;
        let did = match uri.authority() {
            arroba_core::syntax::AtIdentifier::Did(did) => did,
            arroba_core::syntax::AtIdentifier::Handle(handle) => {
                let row = self.0.host.store().by_handle(&handle).await.map_err(store_failed)?;
                row.ok_or_else(no_subject)?.did
            }
        };
        Ok((did, path))
    }
}

fn no_subject() -> XrpcError {
    XrpcError::named("NotFound", "Subject not found")
}

/// The store's form of a takedown: a reference, or that there is none.
fn reference(takedown: &StatusAttr) -> Option<String> {
    takedown.applied.then(|| takedown.reference.clone().unwrap_or_else(|| "admin".to_owned()))
}

fn attribute(reference: Option<String>) -> StatusAttr {
    StatusAttr { applied: reference.is_some(), reference }
}

fn wire_invite(invite: Invite) -> InviteCode {
    let uses = invite.uses.into_iter();
    InviteCode {
        code: invite.code,
        available: i64::from(invite.available),
        disabled: invite.disabled,
        for_account: invite.account,
        created_by: invite.created_by,
        created_at: shown(invite.created),
        uses: uses.map(|used| InviteCodeUse { used_by: used.did, used_at: shown(used.used) }).collect(),
    }
}

fn shown(micros: u64) -> Datetime {
    datetime(micros)
}
