//! What routes hold: reading for everybody, and writing for whoever brings a proof.

mod blobs;
mod export;
mod export_auth;
mod permit;
mod read;
mod refusal;

use arroba_core::data::BlobRef;
use arroba_core::syntax::AtIdentifier;
use arroba_lexicons::com_atproto::repo::CommitMeta as WireCommit;
use arroba_xrpc::{RawBody, Result, XrpcError};

pub(crate) use self::export_auth::ExportAuth;
pub(crate) use self::read::wire_status;
pub(crate) use self::refusal::store_failed;

use crate::auth::{ImportAuth, Repos, UploadAuth, WriteAuth};
use crate::firehose::Subscription;
use crate::host::{CommitOptions, CommitOutcome, RepoHost, Write, WriteResult, Written};

/// A host as requests from outside see it.
///
/// It has no write that does not demand a proof of authorization by value, so a handler cannot forget to ask for one.
#[derive(Clone, Debug)]
pub struct Service(RepoHost);

impl Service {
    /// The narrow view of `host`.
    #[must_use]
    pub const fn new(host: RepoHost) -> Self {
        Self(host)
    }

    /// Makes one commit to a repo that the caller may write to, of writes that its permissions and the host's policies allow.
    ///
    /// # Errors
    ///
    /// As the reference server answers; 403 `insufficient_scope` for the first write that is not allowed.
    pub async fn commit(
        &self,
        auth: WriteAuth,
        repo: &AtIdentifier,
        writes: Vec<Write>,
        options: CommitOptions,
    ) -> Result<CommitOutcome> {
        let did = self.writable(auth.caller(), repo).await?;
        let writes = self.permitted(auth.caller(), &did, writes).await?;
        Ok(self.0.commit(&did, writes, options).await?)
    }

    /// The same for one record that is created or replaced.
    pub(crate) async fn commit_one(
        &self,
        auth: WriteAuth,
        repo: &AtIdentifier,
        write: Write,
        options: CommitOptions,
    ) -> Result<(Option<WireCommit>, Written)> {
        let outcome = self.commit(auth, repo, vec![write], options).await?;
        match outcome.results.into_iter().next() {
            Some(WriteResult::Created(written) | WriteResult::Updated(written)) => {
                Ok((outcome.commit.map(Into::into), written))
            }
            Some(WriteResult::Deleted(_)) | None => Err(XrpcError::internal("a write without a result")),
        }
    }

    /// Stores a blob of the caller's, or of the repo that a caller with every repo names.
    ///
    /// # Errors
    ///
    /// 413 beyond the limit of the host; 400 if the blob was taken down, or if nothing says whose it is.
    pub async fn upload(&self, auth: UploadAuth, body: RawBody) -> Result<BlobRef> {
        let did = self.uploads_for(&auth).await?;
        let limit = self.0.limits().blob_bytes;
        let declared = body.content_type().map(str::to_owned);
        let stream = body.limit(limit).stream()?;
        Ok(self.0.upload_blob(&did, declared.as_deref(), stream).await?)
    }

    /// Replaces the caller's repo by the one in a CAR file. For a caller with every repo that is the repo of whom the file's commit
    /// names, which is made if it is not here; see [`RepoHost::import_any`].
    ///
    /// # Errors
    ///
    /// 413 beyond the limit of the host; 400 with what is wrong with the file.
    pub async fn import(&self, auth: ImportAuth, body: RawBody) -> Result<()> {
        let limit = self.0.limits().import_bytes;
        let stream = body.limit(limit).stream()?;
        match auth.repos() {
            Repos::One(did) => self.0.import(did, stream).await.map(drop)?,
            Repos::All => self.0.import_any(stream).await.map(drop)?,
        }
        Ok(())
    }

    /// The events after `cursor`.
    #[must_use]
    pub fn subscribe(&self, cursor: Option<u64>) -> Subscription {
        self.0.subscribe(cursor)
    }
}
