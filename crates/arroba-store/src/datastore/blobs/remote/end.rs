//! Ending the uses of an account that is gone.

use arroba_core::syntax::Did;
use gcloud_sdk::prost::Message;

use super::{
    super::{
        super::{
            Client, Lookup, Reads,
            api::{EntityResult, Key},
            rows::Found,
        },
        transact::settle,
    },
    RemoteRow, used_by,
};
use crate::{error::StoreError, repo::RepoStatus};

/// How many blobs are found at once.
const PAGE: u16 = 100;

/// How many bytes of entities one transaction writes, less than it may: they can grow until then.
const BYTES: usize = 4 << 20;

/// Takes an account out of the users of all its blobs, some in each transaction; gives how many those were. Nothing happens to an
/// account that is there, or there again: which of its uses are old, nobody can tell.
pub(in super::super::super) async fn end_uses(client: &Client, did: &Did) -> Result<u64, StoreError> {
    let mut query = used_by(client, did).limit(PAGE);
    let mut ended = 0;
    loop {
        let page = client.query(query.clone().into(), Reads::Strong).await?;
        for keys in portions(page.results) {
            match end(client, did, keys).await? {
                Some(more) => ended += more,
                None => return Ok(ended),
            }
        }
        if !page.more {
            return Ok(ended);
        }
        query = query.after(page.end_cursor);
    }
}

/// How many uses were ended; nothing if the account is there.
async fn end(client: &Client, did: &Did, mut keys: Vec<Key>) -> Result<Option<u64>, StoreError> {
    keys.extend(Found::keys(did, client));
    let drop_user = |lookup: &mut Lookup| {
        let standing = Found::take(did, client, lookup)?.underlying();
        if !matches!(standing, None | Some(RepoStatus::Deleted)) {
            return Ok((Vec::new(), None));
        }
        let mut mutations = Vec::new();
        for entity in lookup.found.drain(..).filter_map(|result| result.entity) {
            let mut row = match RemoteRow::of(entity) {
                Ok(Some(row)) => row,
                Ok(None) => continue,
                Err(error) => {
                    // Others are not to wait for it.
                    tracing::warn!(%did, %error, "a remote blob cannot be read, and keeps its users");
                    continue;
                }
            };
            if row.blob.repos.contains(did) {
                row.blob.repos.retain(|user| user != did);
                mutations.push(row.put(client)?);
            }
        }
        let ended = mutations.len() as u64;
        Ok((mutations, Some(ended)))
    };
    settle(client, keys, drop_user).await
}

/// The keys of what was found, so that the entities of each portion fit into a transaction.
fn portions(found: Vec<EntityResult>) -> Vec<Vec<Key>> {
    let mut portions: Vec<Vec<Key>> = Vec::new();
    let mut bytes = 0;
    for entity in found.into_iter().filter_map(|result| result.entity) {
        let more = entity.encoded_len();
        let Some(key) = entity.key else { continue };
        match portions.last_mut() {
            Some(portion) if bytes + more <= BYTES => {
                bytes += more;
                portion.push(key);
            }
            _ => {
                bytes = more;
                portions.push(vec![key]);
            }
        }
    }
    portions
}
