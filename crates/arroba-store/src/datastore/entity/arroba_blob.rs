//! A blob of a repository: kind `ArrobaBlob`, named by DID and CID.

use std::{collections::HashMap, fmt::Write as _};

use arroba_core::{data::Cid, syntax::Did};
use gcloud_sdk::google::datastore::v1::{Entity, Key};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::{KEY, Properties},
    values::{self, indexed, integer, unindexed},
};

/// A blob that was uploaded, or that records refer to, or both.
///
/// The Python library has no uploads; what it serves from elsewhere is an [`AtpRemoteBlob`](super::AtpRemoteBlob).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrobaBlob {
    /// Whose.
    pub did: Did,
    /// The CID of its bytes.
    pub cid: Cid,
    /// Of which life of the repository it is: see [`ArrobaBlobEpoch`](super::ArrobaBlobEpoch).
    pub epoch: u64,
    /// How many records refer to it. What nobody has uploaded and no record refers to has no entity.
    pub refs: u64,
    /// The upload; nothing while it is only referred to.
    pub upload: Option<Upload>,
}

/// What is known of uploaded bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The object that holds them.
    pub object: String,
    /// The type that was sniffed or declared.
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
    /// When, in microseconds since 1970.
    pub uploaded: u64,
}

impl ArrobaBlob {
    /// The kind.
    pub const KIND: &'static str = "ArrobaBlob";

    /// The property with the DID, of uploads that no record refers to.
    pub const TEMPORARY_OF: &'static str = "temporary_of";

    /// The property with the time, in microseconds, of uploads that no record refers to.
    pub const TEMPORARY_SINCE: &'static str = "temporary_since";

    /// The key.
    pub fn key(database: &Database, did: &Did, cid: &Cid) -> Key {
        database.key(Self::KIND, &blob_name(did, cid))
    }

    /// Whether it was uploaded and no record refers to it.
    pub const fn is_temporary(&self) -> bool {
        self.refs == 0 && self.upload.is_some()
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`].
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let (did, cid) = parse_blob_name(from.name()).ok_or_else(|| from.error(KEY, EntityProblem::Key))?;
        let (epoch, refs) = (from.number(EPOCH)?, from.number(REFS)?);
        let upload = match from.text(OBJECT)? {
            None => None,
            Some(object) => {
                let (mime_type, size) = (from.text(MIME_TYPE)?, from.number(SIZE)?);
                let uploaded = from.number(UPLOADED)?;
                Some(Upload {
                    object,
                    mime_type: from.required(MIME_TYPE, mime_type)?,
                    size: from.required(SIZE, size)?,
                    uploaded: from.required(UPLOADED, uploaded)?,
                })
            }
        };
        Ok(Self { did, cid, epoch: from.required(EPOCH, epoch)?, refs: from.required(REFS, refs)?, upload })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a number that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let number = |property, value: u64| {
            integer(value).map_err(|problem| EntityError {
                kind: Self::KIND,
                key: blob_name(&self.did, &self.cid),
                property,
                problem,
            })
        };
        let mut properties = HashMap::from([
            (EPOCH.to_owned(), unindexed(number(EPOCH, self.epoch)?)),
            (REFS.to_owned(), unindexed(number(REFS, self.refs)?)),
        ]);
        if let Some(Upload { object, mime_type, size, uploaded }) = &self.upload {
            properties.extend([
                (OBJECT.to_owned(), unindexed(values::text(object))),
                (MIME_TYPE.to_owned(), unindexed(values::text(mime_type))),
                (SIZE.to_owned(), unindexed(number(SIZE, *size)?)),
                (UPLOADED.to_owned(), unindexed(number(UPLOADED, *uploaded)?)),
            ]);
            // Left out of all others, so that a query finds these alone.
            if self.is_temporary() {
                let since = number(Self::TEMPORARY_SINCE, *uploaded)?;
                properties.insert(Self::TEMPORARY_OF.to_owned(), indexed(values::text(&self.did)));
                properties.insert(Self::TEMPORARY_SINCE.to_owned(), indexed(since));
            }
        }
        Ok(Entity { key: Some(Self::key(database, &self.did, &self.cid)), properties })
    }
}

/// The name of a blob: its order is that of the CID's bytes, which the text of a CID has not.
pub(in crate::datastore) fn blob_name(did: &Did, cid: &Cid) -> String {
    let mut name = format!("{did} ");
    for byte in cid.as_bytes() {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// Reads the name of a blob.
pub(in crate::datastore) fn parse_blob_name(name: &str) -> Option<(Did, Cid)> {
    let (did, digits) = name.split_once(' ')?;
    let digits = digits.as_bytes();
    let digit = |digit: u8| char::from(digit).to_digit(16).filter(|_| !digit.is_ascii_uppercase());
    let mut bytes = Vec::with_capacity(Cid::BYTES);
    for pair in digits.chunks(2) {
        let &[high, low] = pair else { return None };
        bytes.push(u8::try_from(digit(high)? << 4 | digit(low)?).ok()?);
    }
    Some((Did::parse(did).ok()?, Cid::from_bytes(&bytes).ok()?))
}

const EPOCH: &str = "epoch";
const REFS: &str = "refs";
const OBJECT: &str = "object";
const MIME_TYPE: &str = "mime_type";
const SIZE: &str = "size";
const UPLOADED: &str = "uploaded";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let database = Database::new("app", "").unwrap();
        let did: Did = "did:web:a.test".parse().unwrap();
        let upload = Upload {
            object: "blobs/1".to_owned(),
            mime_type: "image/png".to_owned(),
            size: 7,
            uploaded: 1_700_000_000_000_000,
        };
        let mut blob =
            ArrobaBlob { did, cid: Cid::for_raw(b"bytes"), epoch: 2, refs: 0, upload: Some(upload) };
        for refs in [0, 3] {
            blob.refs = refs;
            let entity = blob.to_entity(&database).unwrap();
            let is_temporary = entity.properties.contains_key(ArrobaBlob::TEMPORARY_OF);
            assert_eq!((is_temporary, blob.is_temporary()), (refs == 0, refs == 0));
            assert_eq!(ArrobaBlob::from_entity(entity).unwrap(), blob);
        }
        blob.upload = None;
        let mut entity = blob.to_entity(&database).unwrap();
        assert_eq!(ArrobaBlob::from_entity(entity.clone()).unwrap(), blob);
        entity.properties.remove(REFS);
        let error = ArrobaBlob::from_entity(entity).unwrap_err();
        assert_eq!((error.property, error.problem), (REFS, EntityProblem::Missing));
    }

    #[test]
    fn names_have_the_order_of_bytes() {
        let did: Did = "did:web:a.test".parse().unwrap();
        let mut cids: Vec<Cid> = (0..200_u8).map(|number| Cid::for_raw(&[number])).collect();
        cids.sort();
        let names: Vec<String> = cids.iter().map(|cid| blob_name(&did, cid)).collect();
        assert!(names.is_sorted());
        for (name, cid) in names.iter().zip(&cids) {
            assert_eq!(parse_blob_name(name), Some((did.clone(), *cid)));
            for wrong in [name.to_uppercase(), name[1..].to_owned(), format!("{name}0"), format!("{name}00")]
            {
                assert_eq!(parse_blob_name(&wrong), None, "{wrong}");
            }
        }
        assert_eq!(parse_blob_name(""), None);
    }
}
