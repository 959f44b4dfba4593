//! Whose a handle is.

use arroba_core::syntax::{Did, Handle};

use super::{
    Reads, Select,
    api::{EntityResult, property_filter::Operator, value::ValueType},
    entity::ArrobaHandle,
    rows::{self, Found},
    store::Datastore,
};
use crate::error::{ApplyError, StoreError};

impl Datastore {
    /// What is noted of a handle that the repository `own` is to have.
    ///
    /// # Errors
    /// [`ApplyError::HandleTaken`] if another repository has it now.
    pub(super) async fn holder(
        &self,
        handle: &Handle,
        own: &Did,
    ) -> Result<Option<ArrobaHandle>, ApplyError> {
        let (noted, holders) = self.holders(handle).await?;
        let taken = holders.iter().any(|found| found.did != *own);
        if taken { Err(ApplyError::HandleTaken) } else { Ok(noted) }
    }

    /// The repository that has a handle.
    pub(super) async fn found_by_handle(&self, handle: &Handle) -> Result<Option<Found>, StoreError> {
        let (_, holders) = self.holders(handle).await?;
        Ok(holders.into_iter().next())
    }

    /// Everybody whose row says that they have the handle: the Python library's rows are found by a query, accounts that are being
    /// created by our note. The note alone proves nothing, because the Python library does not keep it.
    async fn holders(&self, handle: &Handle) -> Result<(Option<ArrobaHandle>, Vec<Found>), StoreError> {
        let client = self.client();
        let value = ValueType::StringValue(handle.to_string());
        let query = Select::from(super::entity::AtpRepo::KIND)
            .and(HANDLES, Operator::Equal, value)
            .limit(MOST)
            .keys_only();
        let note = vec![ArrobaHandle::key(client.database(), handle)];
        let (rows, notes) =
            tokio::try_join!(client.query(query.into(), Reads::Strong), client.lookup(note, Reads::Strong))?;
        let noted = notes.found.into_iter().find_map(|result| result.entity);
        let noted = noted.map(ArrobaHandle::from_entity).transpose();
        let noted = noted.map_err(|error| StoreError::corrupt_by("handle", error))?;
        let mut dids: Vec<Did> = rows.results.iter().filter_map(did_of).collect();
        dids.extend(noted.iter().map(|noted| noted.did.clone()));
        dids.sort();
        dids.dedup();
        if dids.is_empty() {
            return Ok((noted, Vec::new()));
        }
        let mut found = Found::read(&dids, client).await?;
        found.retain(|found| found.row(None).is_some_and(|row| row.handle.as_ref() == Some(handle)));
        Ok((noted, found))
    }
}

/// The DID in the key of a row.
pub(super) fn did_of(result: &EntityResult) -> Option<Did> {
    Did::parse(rows::name(result.entity.as_ref()?.key.as_ref()?)?).ok()
}

/// The property that holds handles.
const HANDLES: &str = "handles";

/// More than one repository with a handle is a mistake that the Python library lets happen; a few show it.
const MOST: u16 = 10;
