//! Blobs that live elsewhere: the kind `AtpRemoteBlob`, which the Python library reads and writes too, maybe at the same moment.
//!
//! Every change reads the entity and writes it in one transaction, so nobody's users or attempts are lost, and what an entity says
//! besides is kept. A use is the account's key in the entity's array `repos`.
//!
//! **Limits.** The key's name is the first 1,500 characters of the URL. The service allows 1,500 bytes: a URL with other than ASCII in it
//! may be refused as [`LimitError::Key`](super::super::LimitError::Key), before anything is written. An entity takes about 1 MiB and
//! 20,000 index entries, one for each user: with DIDs of did:plc the size comes first, at about 18,000 users of one URL. The next one is
//! refused as [`LimitError::Entity`](super::super::LimitError::Entity) or [`LimitError::Property`](super::super::LimitError::Property), and
//! the entity stays as it was.
//!
//! **Deletion.** An account can use more blobs than one transaction could write. A deletion ends all uses at once because no use of an
//! account that is gone counts; the sweep takes them out of the entities afterwards, some in each transaction, and a crash between two of them
//! leaves the rest to the next sweep. Before an account is made again, what was not swept is taken out. The Python library knows nothing
//! of this: of an account that it tombstones and makes again, all uses count again.
//!
//! **Commits.** Which remote blobs an account uses is asked in a query outside of the commit's transaction, and looked up again by key in
//! it: a query inside would conflict with everybody who writes to the kind.

mod change;
mod end;
mod read;

use super::{
    super::{
        Client, Lookup, Select,
        api::{Entity, Key, Mutation, property_filter::Operator, value::ValueType},
        entity::{AtpRemoteBlob, AtpRepo, EntityError},
        key_name, upsert,
    },
    transact::take,
};
use arroba_core::syntax::Did;

pub(in super::super) use change::{attempt, set_id, use_blob};
pub(in super::super) use end::end_uses;
pub(super) use read::{cids_used, keys_used};
pub(in super::super) use read::{find, of_account, users, with_cid};

/// An entity, and what it says.
pub(super) struct RemoteRow {
    stored: Entity,
    pub(super) blob: AtpRemoteBlob,
}

impl RemoteRow {
    /// Reads the entity, if it is of this kind.
    pub(super) fn of(entity: Entity) -> Result<Option<Self>, EntityError> {
        if entity.key.as_ref().and_then(|key| key_name(key, AtpRemoteBlob::KIND)).is_none() {
            return Ok(None);
        }
        let blob = AtpRemoteBlob::from_entity(entity.clone())?;
        Ok(Some(Self { stored: entity, blob }))
    }

    fn take(lookup: &mut Lookup, key: &Key) -> Result<Option<Self>, EntityError> {
        Ok(take(lookup, key).map(Self::of).transpose()?.flatten())
    }

    /// What to write; what the entity says besides stays.
    fn put(self, client: &Client) -> Result<Mutation, EntityError> {
        Ok(upsert(self.blob.onto(client.database(), self.stored)?))
    }
}

/// The blobs that an account uses, in the order of their keys. An equality needs no index of its own.
fn used_by(client: &Client, did: &Did) -> Select {
    let repo = ValueType::KeyValue(AtpRepo::key(client.database(), did));
    Select::from(AtpRemoteBlob::KIND).and(AtpRemoteBlob::REPOS, Operator::Equal, repo)
}
