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
            let error = |problem| EntityError { kind: Self::KIND, key: self.name.clone(), property, problem };
            let value = value.map(write).transpose().map_err(error)?;
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
