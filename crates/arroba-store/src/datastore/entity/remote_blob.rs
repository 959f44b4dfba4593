//! A blob that lives elsewhere: kind `AtpRemoteBlob`, named by its URL.

use std::collections::HashMap;

use arroba_core::{
    data::{Cid, Codec},
    syntax::Did,
};
use gcloud_sdk::google::datastore::v1::{Entity, Key, value::ValueType};

use super::{
    super::Database,
    EntityError, EntityProblem,
    properties::Properties,
    values::{array, indexed, integer, or_null, repo, text, time, unindexed},
};
use crate::remote_blob_index::RemoteBlob;

/// What is known about the content of a public URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtpRemoteBlob {
    /// The name in the key: the URL, or its first 1,500 characters.
    pub name: String,
    /// The whole URL; nothing for a moment after it was made by the Python library, and then it is `name`.
    pub url: Option<String>,
    /// The CID of the content, once it was fetched.
    pub cid: Option<Cid>,
    /// The content's size in bytes.
    pub size: Option<u64>,
    /// The content's type.
    pub mime_type: String,
    /// The repositories that use it.
    pub repos: Vec<Did>,
    /// What its own server calls it.
    pub remote_id: Option<String>,
    /// The width of a picture or video, in pixels.
    pub width: Option<u64>,
    /// The height of a picture or video, in pixels.
    pub height: Option<u64>,
    /// How long a video is, in milliseconds.
    pub duration: Option<u64>,
    /// When it was last fetched, or that was tried, in microseconds since 1970.
    pub last_fetched: Option<u64>,
    /// Whether the URL stopped working.
    pub inactive: bool,
    /// When the entity was made, in microseconds since 1970.
    pub created: Option<u64>,
    /// When it was last written, in microseconds since 1970.
    pub updated: Option<u64>,
}

impl AtpRemoteBlob {
    /// The kind.
    pub const KIND: &'static str = "AtpRemoteBlob";

    /// The property with the CID.
    pub const CID: &'static str = CID;

    /// The property with the keys of the repositories that use it.
    pub const REPOS: &'static str = REPOS;

    /// The property with the time of the last change.
    pub const UPDATED: &'static str = UPDATED;

    /// The type of content that nobody named.
    pub const DEFAULT_MIME_TYPE: &'static str = "application/octet-stream";

    /// How much of a URL is in the key: characters, not bytes, so a key with other than ASCII can still be too long for the service.
    pub const NAME_CHARS: usize = 1_500;

    /// A blob that was not fetched yet.
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        Self {
            name: Self::name(&url).to_owned(),
            url: Some(url),
            cid: None,
            size: None,
            mime_type: Self::DEFAULT_MIME_TYPE.to_owned(),
            repos: Vec::new(),
            remote_id: None,
            width: None,
            height: None,
            duration: None,
            last_fetched: None,
            inactive: false,
            created: None,
            updated: None,
        }
    }

    /// The name in the key of the blob at a URL.
    pub fn name(url: &str) -> &str {
        url.char_indices().nth(Self::NAME_CHARS).map_or(url, |(end, _)| &url[..end])
    }

    /// The key of the blob at a URL.
    pub fn key(database: &Database, url: &str) -> Key {
        database.key(Self::KIND, Self::name(url))
    }

    /// Where the content is.
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap_or(&self.name)
    }

    /// What it says of the blob. Of times that are missing the one stands for the other, and 0 for both.
    ///
    /// # Errors
    /// [`EntityError`] for a width or height that is none.
    pub fn to_remote_blob(&self) -> Result<RemoteBlob, EntityError> {
        let side = |property, value: Option<u64>| {
            let side = value.map(u32::try_from).transpose();
            side.map_err(|_| self.error(property, EntityProblem::Range))
        };
        Ok(RemoteBlob {
            url: self.url().to_owned(),
            cid: self.cid,
            size: self.size,
            mime_type: self.mime_type.clone(),
            remote_id: self.remote_id.clone(),
            width: side(WIDTH, self.width)?,
            height: side(HEIGHT, self.height)?,
            duration_ms: self.duration,
            last_fetched: self.last_fetched,
            inactive: self.inactive,
            created: self.created.or(self.updated).unwrap_or(0),
            updated: self.updated.or(self.created).unwrap_or(0),
        })
    }

    /// Makes it say this of the blob. Its name, its users and when it was made stay.
    pub fn set(&mut self, blob: &RemoteBlob) {
        self.url = Some(blob.url.clone());
        self.cid = blob.cid;
        self.size = blob.size;
        self.mime_type.clone_from(&blob.mime_type);
        self.remote_id.clone_from(&blob.remote_id);
        self.width = blob.width.map(u64::from);
        self.height = blob.height.map(u64::from);
        self.duration = blob.duration_ms;
        self.last_fetched = blob.last_fetched;
        self.inactive = blob.inactive;
        self.updated = Some(blob.updated);
    }

    /// Reads the entity.
    ///
    /// # Errors
    /// [`EntityError`]. Everything but the key may be missing.
    pub fn from_entity(entity: Entity) -> Result<Self, EntityError> {
        let mut from = Properties::open(entity, Self::KIND)?;
        let inactive = match from.text(STATUS)? {
            None => false,
            Some(status) if status == INACTIVE => true,
            Some(status) => return Err(from.error(STATUS, EntityProblem::Unknown(status))),
        };
        Ok(Self {
            name: from.name().to_owned(),
            url: from.text(URL)?,
            cid: from.cid(CID, Codec::Raw)?,
            size: from.number(SIZE)?,
            mime_type: from.text(MIME_TYPE)?.unwrap_or_else(|| Self::DEFAULT_MIME_TYPE.to_owned()),
            repos: from.repos(REPOS)?,
            remote_id: from.text(REMOTE_ID)?,
            width: from.number(WIDTH)?,
            height: from.number(HEIGHT)?,
            duration: from.number(DURATION)?,
            last_fetched: from.time(LAST_FETCHED)?,
            inactive,
            created: from.time(CREATED)?,
            updated: from.time(UPDATED)?,
        })
    }

    /// Writes the entity.
    ///
    /// # Errors
    /// [`EntityError`] for a number or a time that is out of range.
    pub fn to_entity(&self, database: &Database) -> Result<Entity, EntityError> {
        let mut properties = HashMap::from([
            (URL.to_owned(), unindexed(or_null(self.url.as_ref().map(text)))),
            (MIME_TYPE.to_owned(), indexed(text(&self.mime_type))),
            (REPOS.to_owned(), indexed(array(self.repos.iter().map(|did| repo(database, did))))),
        ]);
        type Write = fn(u64) -> Result<ValueType, EntityProblem>;
        for (property, value, write) in [
            (SIZE, self.size, integer as Write),
            (WIDTH, self.width, integer),
            (HEIGHT, self.height, integer),
            (DURATION, self.duration, integer),
            (LAST_FETCHED, self.last_fetched, time),
            (CREATED, self.created, time),
            (UPDATED, self.updated, time),
        ] {
            let value = value.map(write).transpose().map_err(|problem| self.error(property, problem))?;
            properties.insert(property.to_owned(), indexed(or_null(value)));
        }
        for (property, value) in [
            (CID, self.cid.as_ref().map(text)),
            (REMOTE_ID, self.remote_id.as_ref().map(text)),
            (STATUS, self.inactive.then(|| text(INACTIVE))),
        ] {
            properties.insert(property.to_owned(), indexed(or_null(value)));
        }
        Ok(Entity { key: Some(database.key(Self::KIND, &self.name)), properties })
    }

    /// Writes it over the entity that it was read from: properties that this type does not know stay as they are.
    ///
    /// # Errors
    /// As [`AtpRemoteBlob::to_entity`].
    pub fn onto(&self, database: &Database, mut stored: Entity) -> Result<Entity, EntityError> {
        let Entity { key, properties } = self.to_entity(database)?;
        stored.properties.extend(properties);
        Ok(Entity { key, ..stored })
    }

    fn error(&self, property: &'static str, problem: EntityProblem) -> EntityError {
        EntityError { kind: Self::KIND, key: self.name.clone(), property, problem }
    }
}

const INACTIVE: &str = "inactive";

const URL: &str = "url";
const CID: &str = "cid";
const SIZE: &str = "size";
const MIME_TYPE: &str = "mime_type";
const REPOS: &str = "repos";
const REMOTE_ID: &str = "remote_id";
const WIDTH: &str = "width";
const HEIGHT: &str = "height";
const DURATION: &str = "duration";
const LAST_FETCHED: &str = "last_fetched";
const STATUS: &str = "status";
const CREATED: &str = "created";
const UPDATED: &str = "updated";
