//! The blob index.

use arroba_core::{
    data::Cid,
    syntax::{Did, RecordPath, Tid},
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{
    SMALL, Sqlite,
    apply::run,
    refs,
    rows::{self, Found, Live, cid},
};
use crate::{
    blob_index::{BlobIndex, BlobRow, MissingBlob, NewBlob},
    error::{ApplyError, StoreError},
    repo::RepoStatus,
};

#[async_trait]
impl BlobIndex for Sqlite {
    async fn begin_upload(&self, object: &str, time: u64) -> Result<(), StoreError> {
        let object = object.to_owned();
        self.write(move |connection| {
            run(
                connection,
                "INSERT INTO garbage (object, queued, pending) VALUES (?1, ?2, 1)",
                (object, time),
            )
        })
        .await
    }

    async fn abandon_upload(&self, object: &str) -> Result<(), StoreError> {
        let object = object.to_owned();
        self.write(move |connection| {
            run(connection, "UPDATE garbage SET pending = 0 WHERE object = ?1", [object])
        })
        .await
    }

    async fn put_temporary(&self, did: &Did, blob: NewBlob) -> Result<BlobRow, ApplyError> {
        let did = did.clone();
        self.weighed(SMALL, move |scope| put_temporary(scope.connection, &did, blob)).await
    }

    async fn blob(&self, did: &Did, cid: &Cid) -> Result<Option<BlobRow>, StoreError> {
        let (did, cid) = (did.clone(), *cid);
        self.read(move |connection| match standing(connection, &did)? {
            Some(found) => blob(connection, found.id, &cid),
            None => Ok(None),
        })
        .await
    }

    async fn list(
        &self,
        did: &Did,
        since: Option<Tid>,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<Cid>, StoreError> {
        let did = did.clone();
        self.read(move |connection| {
            let Some(live) = live(connection, &did)? else { return Ok(Vec::new()) };
            let oldest = match since {
                Some(since) if live.base <= since => since.to_u64().saturating_add(1),
                _ => 0,
            };
            let mut statement = connection.prepare_cached(
                "SELECT DISTINCT cid FROM blob_ref WHERE tree = ?1 AND cid > ?2 AND rev >= ?3 ORDER BY cid LIMIT ?4",
            )?;
            let rows = statement.query_map((live.tree, start(after), oldest, limit), |row| Ok(cid(row, 0)))?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    async fn missing(
        &self,
        did: &Did,
        after: Option<Cid>,
        limit: usize,
    ) -> Result<Vec<MissingBlob>, StoreError> {
        let did = did.clone();
        self.read(move |connection| {
            let Some(found) = standing(connection, &did)? else { return Ok(Vec::new()) };
            let Some(live) = found.live else { return Ok(Vec::new()) };
            let mut statement = connection.prepare_cached(
                "SELECT f.cid, min(f.path) FROM blob_ref f WHERE f.tree = ?1 AND f.cid > ?2 \
                 AND NOT EXISTS (SELECT 1 FROM blob b WHERE b.repo = ?3 AND b.cid = f.cid) \
                 AND NOT EXISTS (SELECT 1 FROM remote_blob m JOIN remote_use u ON u.blob = m.id \
                 WHERE m.cid = f.cid AND u.repo = ?3) \
                 GROUP BY f.cid ORDER BY f.cid LIMIT ?4",
            )?;
            let rows =
                statement.query_map((live.tree, start(after), found.id, limit), |row| Ok(missing(row)))?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    async fn references(&self, did: &Did, cid: &Cid, limit: usize) -> Result<Vec<RecordPath>, StoreError> {
        let (did, cid) = (did.clone(), *cid);
        self.read(move |connection| {
            let Some(live) = live(connection, &did)? else { return Ok(Vec::new()) };
            let mut statement = connection.prepare_cached(
                "SELECT path FROM blob_ref WHERE tree = ?1 AND cid = ?2 ORDER BY path LIMIT ?3",
            )?;
            let rows =
                statement.query_map((live.tree, &cid.as_bytes()[..], limit), |row| Ok(rows::path(row, 0)))?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    async fn temporary_bytes(&self, did: Option<&Did>) -> Result<u64, StoreError> {
        let did = did.cloned();
        self.read(move |connection| {
            let repo = match did {
                None => None,
                Some(did) => match standing(connection, &did)? {
                    Some(found) => Some(found.id),
                    None => return Ok(0),
                },
            };
            let mut statement = connection.prepare_cached(
                "SELECT coalesce(sum(size), 0) FROM blob WHERE temporary = 1 AND (?1 IS NULL OR repo = ?1)",
            )?;
            Ok(statement.query_row([repo], |row| row.get(0))?)
        })
        .await
    }

    async fn garbage(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection
                .prepare_cached("SELECT object FROM garbage WHERE pending = 0 ORDER BY object LIMIT ?1")?;
            let rows = statement.query_map([limit], |row| row.get(0))?;
            rows.map(|row| Ok(row?)).collect()
        })
        .await
    }

    async fn collected(&self, objects: Vec<String>) -> Result<(), StoreError> {
        self.write(move |connection| {
            for object in objects {
                run(connection, "DELETE FROM garbage WHERE object = ?1 AND pending = 0", [object])?;
            }
            Ok(())
        })
        .await
    }
}

/// A repository that was not deleted: the rows of a deleted one wait for the sweep, and nobody sees them.
fn standing(connection: &Connection, did: &Did) -> Result<Option<Found>, StoreError> {
    Ok(rows::by_did(connection, did)?.filter(|found| found.repo.underlying != RepoStatus::Deleted))
}

fn live(connection: &Connection, did: &Did) -> Result<Option<Live>, StoreError> {
    Ok(rows::by_did(connection, did)?.and_then(|found| found.live))
}

fn start(after: Option<Cid>) -> Vec<u8> {
    after.map(|cid| cid.to_bytes().to_vec()).unwrap_or_default()
}

fn missing(row: &Row<'_>) -> Result<MissingBlob, StoreError> {
    Ok(MissingBlob { cid: cid(row, 0)?, path: rows::path(row, 1)? })
}

fn blob(connection: &Connection, repo: i64, cid: &Cid) -> Result<Option<BlobRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT object, mime, size, uploaded, temporary FROM blob WHERE repo = ?1 AND cid = ?2",
    )?;
    let row = statement
        .query_row((repo, &cid.as_bytes()[..]), |row| {
            Ok(BlobRow {
                cid: *cid,
                object: row.get(0)?,
                mime_type: row.get(1)?,
                size: row.get(2)?,
                uploaded: row.get(3)?,
                temporary: row.get(4)?,
                takedown: None,
            })
        })
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(BlobRow { takedown: refs::takedown(connection, repo, cid)?, ..row }))
}

fn put_temporary(connection: &Connection, did: &Did, new: NewBlob) -> Result<BlobRow, ApplyError> {
    let found = rows::by_did(connection, did)?.ok_or(ApplyError::NotFound)?;
    if found.repo.underlying == RepoStatus::Deleted {
        return Err(ApplyError::Inactive(RepoStatus::Deleted));
    }
    let NewBlob { cid, object, mime_type, size, uploaded } = new;
    let key = &cid.as_bytes()[..];
    match blob(connection, found.id, &cid)? {
        // The same bytes are there already: their object stays, and the new one is garbage.
        Some(old) if old.object != object => {
            if old.temporary {
                run(
                    connection,
                    "UPDATE blob SET mime = ?3, uploaded = ?4 WHERE repo = ?1 AND cid = ?2",
                    (found.id, key, &mime_type, uploaded),
                )?;
            }
            run(
                connection,
                "INSERT OR REPLACE INTO garbage (object, queued, pending) VALUES (?1, ?2, 0)",
                (&object, uploaded),
            )?;
        }
        Some(_) => {}
        None => {
            let referenced = match &found.live {
                Some(live) => refs::is_referenced(connection, live.tree, &cid)?,
                None => false,
            };
            // One that was given up may be deleted at any moment.
            let mut announced = connection
                .prepare_cached("DELETE FROM garbage WHERE object = ?1 AND pending = 1")
                .map_err(StoreError::from)?;
            if announced.execute([&object]).map_err(StoreError::from)? == 0 {
                return Err(ApplyError::Malformed("an upload that was given up or never announced"));
            }
            run(
                connection,
                "INSERT INTO blob (repo, cid, object, mime, size, uploaded, temporary) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (found.id, key, &object, &mime_type, size, uploaded, !referenced),
            )?;
        }
    }
    blob(connection, found.id, &cid)?.ok_or_else(|| StoreError::corrupt("a blob just indexed is gone").into())
}
