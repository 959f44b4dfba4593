//! The index of remote blobs.

use arroba_core::{
    data::{BlobRef, Cid},
    syntax::Did,
};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, types::ValueRef};

use super::{
    SMALL, Sqlite,
    apply::run,
    rows::{self, cid},
};
use crate::{
    error::{ApplyError, StoreError},
    remote_blob_index::{RemoteAttempt, RemoteBlob, RemoteBlobIndex},
    repo::RepoStatus,
};

macro_rules! blob_query {
    ($rest:literal) => {
        concat!(
            "SELECT b.id, coalesce(b.url, b.key), b.cid, b.size, b.mime, b.remote_id, b.width, b.height, b.duration, \
             b.fetched, b.inactive, b.created, b.updated FROM remote_blob b ",
            $rest
        )
    };
}

#[async_trait]
impl RemoteBlobIndex for Sqlite {
    async fn remote_blob(&self, url: &str) -> Result<Option<RemoteBlob>, StoreError> {
        let url = url.to_owned();
        self.read(move |connection| Ok(find(connection, &url)?.map(|(_, blob)| blob))).await
    }

    async fn use_remote_blob(
        &self,
        url: &str,
        user: Option<&Did>,
        time: u64,
    ) -> Result<RemoteBlob, ApplyError> {
        let (url, user) = (url.to_owned(), user.cloned());
        self.weighed(SMALL, move |scope| use_blob(scope.connection, url, user.as_ref(), time)).await
    }

    async fn record_attempt(
        &self,
        url: &str,
        time: u64,
        attempt: RemoteAttempt,
    ) -> Result<RemoteBlob, ApplyError> {
        let url = url.to_owned();
        self.weighed(SMALL, move |scope| {
            let (id, mut blob) = find(scope.connection, &url)?.ok_or(ApplyError::NotFound)?;
            blob.attempted(time, attempt);
            update(scope.connection, id, &blob)?;
            Ok(blob)
        })
        .await
    }

    async fn set_remote_id(&self, url: &str, time: u64, remote_id: Option<&str>) -> Result<(), ApplyError> {
        let (url, remote_id) = (url.to_owned(), remote_id.map(str::to_owned));
        self.weighed(SMALL, move |scope| {
            let (id, mut blob) = find(scope.connection, &url)?.ok_or(ApplyError::NotFound)?;
            if blob.remote_id != remote_id {
                (blob.remote_id, blob.updated) = (remote_id, time);
                update(scope.connection, id, &blob)?;
            }
            Ok(())
        })
        .await
    }

    async fn remote_blobs_with(&self, cid: &Cid, limit: usize) -> Result<Vec<RemoteBlob>, StoreError> {
        let cid = *cid;
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(blob_query!(
                "WHERE b.cid = ?1 ORDER BY b.updated DESC, b.id DESC LIMIT ?2"
            ))?;
            let rows = statement.query_map((&cid.as_bytes()[..], limit), |row| Ok(blob(row)))?;
            rows.map(|row| Ok(row??.1)).collect()
        })
        .await
    }

    async fn remote_blobs_of(
        &self,
        user: &Did,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RemoteBlob>, StoreError> {
        let (user, after) = (user.clone(), after.map(|key| RemoteBlob::key_of(key).to_owned()));
        self.read(move |connection| {
            let Some(repo) = standing(connection, &user)? else { return Ok(Vec::new()) };
            let after = match after {
                None => 0,
                Some(key) => match id_of(connection, &key)? {
                    Some(id) => id,
                    None => return Ok(Vec::new()),
                },
            };
            let mut statement = connection.prepare_cached(blob_query!(
                "JOIN remote_use u ON u.blob = b.id WHERE u.repo = ?1 AND u.blob > ?2 ORDER BY u.blob LIMIT ?3"
            ))?;
            let rows = statement.query_map((repo, after, limit), |row| Ok(blob(row)))?;
            rows.map(|row| Ok(row??.1)).collect()
        })
        .await
    }

    async fn remote_blob_users(
        &self,
        url: &str,
        after: Option<&Did>,
        limit: usize,
    ) -> Result<Vec<Did>, StoreError> {
        let (key, after) = (RemoteBlob::key_of(url).to_owned(), after.cloned());
        self.read(move |connection| {
            let Some(id) = id_of(connection, &key)? else { return Ok(Vec::new()) };
            let after = match after {
                None => 0,
                Some(after) => rows::by_did(connection, &after)?.map_or(i64::MAX, |found| found.id),
            };
            // 4: deleted, whose uses wait for the sweep.
            let mut statement = connection.prepare_cached(
                "SELECT r.did FROM remote_use u JOIN repo r ON r.id = u.repo WHERE u.blob = ?1 AND u.repo > ?2 \
                 AND r.status <> 4 ORDER BY u.repo LIMIT ?3",
            )?;
            let rows = statement.query_map((id, after, limit), |row| Ok(rows::parsed(row, 0, Did::parse)))?;
            rows.map(|row| row?).collect()
        })
        .await
    }
}

fn use_blob(
    connection: &Connection,
    url: String,
    user: Option<&Did>,
    time: u64,
) -> Result<RemoteBlob, ApplyError> {
    let repo = match user {
        None => None,
        Some(user) => {
            let found = rows::by_did(connection, user)?.ok_or(ApplyError::NotFound)?;
            if found.repo.underlying == RepoStatus::Deleted {
                return Err(ApplyError::Inactive(RepoStatus::Deleted));
            }
            Some(found.id)
        }
    };
    let (id, mut blob) = match find(connection, &url)? {
        Some(found) => found,
        None => {
            let new = RemoteBlob::new(url.clone(), time);
            run(
                connection,
                "INSERT INTO remote_blob (key, mime, inactive, created, updated) VALUES (?1, ?2, 0, ?3, ?3)",
                (new.key(), &new.mime_type, time),
            )?;
            let id = connection.last_insert_rowid();
            update(connection, id, &new)?;
            (id, new)
        }
    };
    let mut changed = blob.url != url;
    if let Some(repo) = repo {
        let mut insert = connection
            .prepare_cached("INSERT OR IGNORE INTO remote_use (repo, blob) VALUES (?1, ?2)")
            .map_err(StoreError::from)?;
        changed |= insert.execute((repo, id)).map_err(StoreError::from)? > 0;
    }
    if changed {
        (blob.url, blob.updated) = (url, time);
        update(connection, id, &blob)?;
    }
    Ok(blob)
}

fn update(connection: &Connection, id: i64, blob: &RemoteBlob) -> Result<(), StoreError> {
    let url = (blob.key() != blob.url).then_some(&blob.url);
    run(
        connection,
        "UPDATE remote_blob SET url = ?2, cid = ?3, size = ?4, mime = ?5, remote_id = ?6, width = ?7, height = ?8, \
         duration = ?9, fetched = ?10, inactive = ?11, updated = ?12 WHERE id = ?1",
        (
            id,
            url,
            blob.cid.as_ref().map(|cid| &cid.as_bytes()[..]),
            blob.size,
            &blob.mime_type,
            &blob.remote_id,
            blob.width,
            blob.height,
            blob.duration_ms,
            blob.last_fetched,
            blob.inactive,
            blob.updated,
        ),
    )
}

fn find(connection: &Connection, url: &str) -> Result<Option<(i64, RemoteBlob)>, StoreError> {
    let mut statement = connection.prepare_cached(blob_query!("WHERE b.key = ?1"))?;
    statement.query_row([RemoteBlob::key_of(url)], |row| Ok(blob(row))).optional()?.transpose()
}

fn id_of(connection: &Connection, key: &str) -> Result<Option<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT id FROM remote_blob WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

fn standing(connection: &Connection, did: &Did) -> Result<Option<i64>, StoreError> {
    let found = rows::by_did(connection, did)?;
    Ok(found.filter(|found| found.repo.underlying != RepoStatus::Deleted).map(|found| found.id))
}

fn blob(row: &Row<'_>) -> Result<(i64, RemoteBlob), StoreError> {
    let cid = match row.get_ref(2)? {
        ValueRef::Null => None,
        _ => Some(cid(row, 2)?),
    };
    let blob = RemoteBlob {
        url: row.get(1)?,
        cid,
        size: row.get(3)?,
        mime_type: row.get(4)?,
        remote_id: row.get(5)?,
        width: row.get(6)?,
        height: row.get(7)?,
        duration_ms: row.get(8)?,
        last_fetched: row.get(9)?,
        inactive: row.get(10)?,
        created: row.get(11)?,
        updated: row.get(12)?,
    };
    Ok((row.get(0)?, blob))
}

/// Whether a repository uses a remote blob that the reference describes: with an equal CID the size is all that can be wrong.
pub(super) fn serves(connection: &Connection, repo: i64, blob: &BlobRef) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM remote_blob b JOIN remote_use u ON u.blob = b.id AND u.repo = ?1 \
         WHERE b.cid = ?2 AND b.size = ?3 LIMIT 1",
    )?;
    Ok(statement.exists((repo, &blob.cid.as_bytes()[..], blob.size))?)
}

/// Ends uses of a repository, at most `limit`; returns how many.
pub(super) fn end_uses(connection: &Connection, repo: i64, limit: Option<usize>) -> Result<u64, StoreError> {
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut delete = connection.prepare_cached(
        "DELETE FROM remote_use WHERE repo = ?1 AND blob IN \
         (SELECT blob FROM remote_use WHERE repo = ?1 ORDER BY blob LIMIT ?2)",
    )?;
    Ok(delete.execute((repo, limit))? as u64)
}
