//! The bytes of blobs, in any object store.
//!
//! What a blob is (whose, how large, used by which records) is in the [`BlobIndex`](crate::BlobIndex); here are only objects by
//! name. A name is random and never used twice, so deleting an old object cannot hit a later upload of the same bytes.
//! The order is: index the name as pending, write the object, index the blob; and for removal: drop the row (which queues the
//! object as garbage in the same transaction), delete the object, forget the name. A crash anywhere leaves at most a queued name.

use std::{ops::Range, path::Path, sync::Arc};

use arroba_core::{
    data::{Cid, Codec},
    syntax::Did,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, buffered::BufWriter, local::LocalFileSystem,
    memory::InMemory, path::Path as ObjectPath,
};
use rand::Rng;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

/// Uploads are held back up to this size and then sent in parts of it; 5 MiB is the least that S3 takes.
const PART_BYTES: usize = 5 << 20;

/// Where blob bytes live. Clones share it.
#[derive(Clone, Debug)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
}

/// What an upload turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The CID of the bytes (raw codec).
    pub cid: Cid,
    /// Their number.
    pub size: u64,
}

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The upload is larger than allowed; nothing was kept.
    #[error("blob is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The uploader's stream failed; nothing was kept.
    #[error("upload was interrupted")]
    Interrupted(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is no such object.
    #[error("no object {object}")]
    NotFound {
        /// Its name.
        object: String,
    },
    /// The range lies outside the object.
    #[error("range is not within the {size} bytes of the blob")]
    Range {
        /// The size of the object in bytes.
        size: u64,
    },
    /// The object store failed.
    #[error("the object store failed")]
    Store(#[source] Box<object_store::Error>),
}

impl Blobs {
    /// Files in a directory, created where needed. An upload is on the disk when [`Blobs::put`] returns: both file and directory
    /// entry are synced.
    ///
    /// # Errors
    /// [`BlobError::Store`] if the directory cannot be made or opened.
    pub fn dir(path: impl AsRef<Path>) -> Result<Self, BlobError> {
        let store = |source: std::io::Error| {
            BlobError::Store(Box::new(object_store::Error::Generic {
                store: "dir",
                source: Box::new(source),
            }))
        };
        std::fs::create_dir_all(&path).map_err(store)?;
        let files =
            LocalFileSystem::new_with_prefix(path).map_err(|error| BlobError::Store(Box::new(error)))?;
        Ok(Self::new(Arc::new(files.with_fsync(true).with_automatic_cleanup(true))))
    }

    /// Bytes in memory, for tests and examples.
    pub fn memory() -> Self {
        Self::new(Arc::new(InMemory::new()))
    }

    /// Any store that the `object_store` crate knows. It must be durable when it answers.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store }
    }

    /// A new object name for an upload by `did`, never given before.
    pub fn new_object(did: &Did) -> String {
        let mut suffix = [0; 16];
        rand::rng().fill_bytes(&mut suffix);
        let digest = Sha256::digest(did.as_str());
        let shard = digest.first().copied().unwrap_or_default();
        // A DID may hold characters that mean something in a path.
        let owner: String =
            did.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("{shard:02x}/{owner}/{:032x}", u128::from_be_bytes(suffix))
    }

    /// Streams bytes into `object`, hashing and counting on the way; durable on return.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] as soon as more than `limit` bytes arrived, [`BlobError::Interrupted`] if the stream fails; in both
    /// cases nothing is kept. [`BlobError::Store`] if the object store fails.
    pub async fn put<S, E>(&self, object: &str, bytes: S, limit: u64) -> Result<Stored, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut writer =
            BufWriter::with_capacity(Arc::clone(&self.store), ObjectPath::from(object), PART_BYTES)
                .with_max_concurrency(2);
        let mut digest = Sha256::new();
        let mut size = 0_u64;
        let mut bytes = std::pin::pin!(bytes);
        let refused = loop {
            let chunk = match bytes.next().await {
                None => break None,
                Some(Err(error)) => break Some(BlobError::Interrupted(error.into())),
                Some(Ok(chunk)) => chunk,
            };
            size = size.saturating_add(chunk.len() as u64);
            if size > limit {
                break Some(BlobError::TooLarge { limit });
            }
            digest.update(&chunk);
            // A small slice of a large buffer would hold all of it until the upload ends.
            let chunk = if chunk.len() < 16 << 10 { Bytes::copy_from_slice(&chunk) } else { chunk };
            if let Err(error) = writer.put(chunk).await {
                break Some(store_error(object, error));
            }
        };
        if let Some(error) = refused {
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, object, "an upload could not be taken back");
            }
            return Err(error);
        }
        writer.shutdown().await.map_err(|error| {
            BlobError::Store(Box::new(object_store::Error::Generic {
                store: "upload",
                source: Box::new(error),
            }))
        })?;
        Ok(Stored { cid: Cid::new(Codec::Raw, digest.finalize().into()), size })
    }

    /// Streams an object, or a range of it.
    ///
    /// # Errors
    /// [`BlobError::NotFound`], [`BlobError::Range`] if the range is empty or reaches beyond the end, [`BlobError::Store`].
    pub async fn get(
        &self,
        object: &str,
        range: Option<Range<u64>>,
    ) -> Result<BoxStream<'static, Result<Bytes, BlobError>>, BlobError> {
        let path = ObjectPath::from(object);
        if let Some(range) = &range {
            let size = self.store.head(&path).await.map_err(|error| store_error(object, error))?.size;
            if range.is_empty() || range.end > size {
                return Err(BlobError::Range { size });
            }
        }
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let result = self.store.get_opts(&path, options).await.map_err(|error| store_error(object, error))?;
        let name = object.to_owned();
        Ok(result.into_stream().map_err(move |error| store_error(&name, error)).boxed())
    }

    /// Deletes an object; one that is gone already is no error.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn delete(&self, object: &str) -> Result<(), BlobError> {
        match self.store.delete(&ObjectPath::from(object)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(store_error(object, error)),
        }
    }
}

fn store_error(object: &str, error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound { object: object.to_owned() },
        error => BlobError::Store(Box::new(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use std::convert::Infallible;

    fn chunks(total: usize, chunk: usize) -> (Vec<u8>, Vec<Result<Bytes, Infallible>>) {
        let bytes: Vec<u8> = (0..total).map(|index| (index * 7 % 251) as u8).collect();
        let chunks = bytes.chunks(chunk.max(1)).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        (bytes, chunks)
    }

    async fn read(blobs: &Blobs, object: &str, range: Option<Range<u64>>) -> Vec<u8> {
        let stream = blobs.get(object, range).await.unwrap();
        stream.map(Result::unwrap).map(|chunk| chunk.to_vec()).concat().await
    }

    async fn behaves(blobs: &Blobs) {
        let did = "did:web:example.com%3A3000".parse().unwrap();
        for (total, chunk) in [
            (0, 1),
            (1, 1),
            (1000, 13),
            (PART_BYTES - 1, 1 << 20),
            (PART_BYTES + 1, 999_999),
            (11 << 20, 1 << 20),
        ] {
            let object = Blobs::new_object(&did);
            let (bytes, upload) = chunks(total, chunk);
            let stored = blobs.put(&object, stream::iter(upload), 1 << 30).await.unwrap();
            assert_eq!(stored, Stored { cid: Cid::for_raw(&bytes), size: total as u64 });
            assert_eq!(read(blobs, &object, None).await, bytes);
            if total > 10 {
                assert_eq!(read(blobs, &object, Some(3..9)).await, &bytes[3..9]);
                let all = total as u64;
                assert_eq!(read(blobs, &object, Some(all - 1..all)).await, &bytes[total - 1..]);
                let beyond = blobs.get(&object, Some(all - 1..all + 1)).await;
                assert!(matches!(beyond, Err(BlobError::Range { size }) if size == all));
            }
            blobs.delete(&object).await.unwrap();
            blobs.delete(&object).await.unwrap();
            assert!(matches!(blobs.get(&object, None).await, Err(BlobError::NotFound { .. })));
        }
    }

    #[tokio::test]
    async fn memory_behaves() {
        behaves(&Blobs::memory()).await;
    }

    #[tokio::test]
    async fn directory_behaves_and_keeps_nothing_refused() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::dir(directory.path()).unwrap();
        behaves(&blobs).await;
        let did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
        for limit in [10, PART_BYTES as u64 + 5] {
            let object = Blobs::new_object(&did);
            let (_, upload) = chunks(PART_BYTES + 1000, 4096);
            let refused = blobs.put(&object, stream::iter(upload), limit).await;
            assert!(matches!(refused, Err(BlobError::TooLarge { .. })));
            let (_, mut upload) = chunks(PART_BYTES + 1000, 4096).into_io();
            upload.push(Err(std::io::Error::other("gone")));
            let interrupted = blobs.put(&object, stream::iter(upload), 1 << 30).await;
            assert!(matches!(interrupted, Err(BlobError::Interrupted(_))));
        }
        let files = walk(directory.path());
        assert!(files.is_empty(), "left behind: {files:?}");
    }

    trait IntoIo {
        fn into_io(self) -> (Vec<u8>, Vec<std::io::Result<Bytes>>);
    }

    impl IntoIo for (Vec<u8>, Vec<Result<Bytes, Infallible>>) {
        fn into_io(self) -> (Vec<u8>, Vec<std::io::Result<Bytes>>) {
            (self.0, self.1.into_iter().map(|chunk| chunk.map_err(|never| match never {})).collect())
        }
    }

    fn walk(path: &Path) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        let mut waiting = vec![path.to_owned()];
        while let Some(path) = waiting.pop() {
            for entry in std::fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { waiting.push(path) } else { files.push(path) }
            }
        }
        files
    }
}
