//! What a field of a lexicon asks of its blob.

use arroba_core::lexicon::BlobSchema;

use super::RemoteBlobError;

/// What a record's field asks of the blob in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlobConstraints {
    /// The field's name, for messages.
    pub name: String,
    /// The media types that it takes: exact ones, `type/*`, or `*/*`. Any if there are none.
    pub accept: Vec<String>,
    /// The largest size, in bytes.
    pub max_size: Option<u64>,
}

impl BlobConstraints {
    /// Those of a field's schema.
    #[must_use]
    pub fn of(name: impl Into<String>, schema: &BlobSchema) -> Self {
        Self {
            name: name.into(),
            accept: schema.accept.clone().unwrap_or_default(),
            max_size: schema.max_size,
        }
    }

    pub(super) fn check_type(&self, mime_type: &str) -> Result<(), RemoteBlobError> {
        if self.accepts(mime_type) {
            return Ok(());
        }
        Err(RemoteBlobError::NotAccepted {
            name: self.name.clone(),
            mime_type: mime_type.to_owned(),
            accept: self.accept.clone(),
        })
    }

    pub(super) fn check_size(&self, size: u64) -> Result<(), RemoteBlobError> {
        match self.max_size {
            Some(max_size) if size > max_size => {
                Err(RemoteBlobError::OverMaxSize { name: self.name.clone(), size, max_size })
            }
            _ => Ok(()),
        }
    }

    fn accepts(&self, mime_type: &str) -> bool {
        let kind = mime_type.split('/').next().unwrap_or_default();
        let takes = |pattern: &String| {
            pattern == "*/*" || pattern == mime_type || pattern.strip_suffix("/*") == Some(kind)
        };
        self.accept.is_empty() || self.accept.iter().any(takes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let accepts = |accept: &[&str], mime_type: &str| {
            let accept = accept.iter().map(|&pattern| pattern.to_owned()).collect();
            BlobConstraints { accept, ..BlobConstraints::default() }.accepts(mime_type)
        };
        assert!(accepts(&[], "a/b") && accepts(&["*/*"], "a/b") && accepts(&["x/y", "image/*"], "image/png"));
        assert!(accepts(&["image/png"], "image/png"));
        assert!(!accepts(&["image/png"], "image/jpeg") && !accepts(&["image/*"], "images/png"));
        assert!(!accepts(&["image/png"], "") && !accepts(&["video/mp4"], "image/mp4"));
    }
}
