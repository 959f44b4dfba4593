//! Parts of a repo that a moderator took down.

use arroba_core::syntax::Did;
use arroba_store::{ChangeKind, Subject};

use super::{HostError, RepoHost};

impl RepoHost {
    /// Takes a record or a blob down under the moderator's `reference`, or lifts that.
    ///
    /// A record vanishes from the record methods and stays in the repo, which is signed; a blob is not served. Nothing is
    /// announced.
    ///
    /// # Errors
    ///
    /// [`HostError::RepoNotFound`].
    pub async fn hide(
        &self,
        did: &Did,
        subject: Subject,
        reference: Option<String>,
    ) -> Result<(), HostError> {
        let _turn = self.0.turns.take(did).await;
        let change = self.change(did, Vec::new(), ChangeKind::Hide { subject, reference });
        self.apply(change).await.map(drop).map_err(|error| HostError::refused(did, None, error))
    }
}
