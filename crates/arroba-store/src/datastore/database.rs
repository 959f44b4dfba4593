//! The name of a database, and of the keys in it.

use gcloud_sdk::google::datastore::v1::{
    Key, PartitionId,
    key::{PathElement, path_element::IdType},
};

use super::ConnectError;

/// A database of a project.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Database {
    project: String,
    id: String,
}

impl Database {
    /// Names a database; the project's default one has the empty id.
    ///
    /// # Errors
    /// [`ConnectError::Name`] unless both are made of ASCII letters, digits, `-`, `_`, `.` and `:`, and there is a project.
    pub fn new(project: impl Into<String>, id: impl Into<String>) -> Result<Self, ConnectError> {
        let (project, id) = (project.into(), id.into());
        // They are sent in headers, and Google's own rules are narrower still.
        let plain =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
        match (plain(&project) && !project.is_empty(), plain(&id)) {
            (false, _) => Err(ConnectError::Name { what: "project", name: project }),
            (_, false) => Err(ConnectError::Name { what: "database", name: id }),
            (true, true) => Ok(Self { project, id }),
        }
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// The database's id; empty for the default one.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The partition that keys of this database are in: no namespace, as in the Python library.
    pub fn partition(&self) -> PartitionId {
        PartitionId {
            project_id: self.project.clone(),
            database_id: self.id.clone(),
            namespace_id: String::new(),
        }
    }

    /// The key of a root entity.
    pub fn key(&self, kind: &str, name: &str) -> Key {
        let id_type = Some(IdType::Name(name.to_owned()));
        Key {
            partition_id: Some(self.partition()),
            path: vec![PathElement { kind: kind.to_owned(), id_type }],
        }
    }
}

/// The name in the key of a root entity of this kind; nothing for any other key.
pub fn key_name<'a>(key: &'a Key, kind: &str) -> Option<&'a str> {
    match key.path.as_slice() {
        [part] if part.kind == kind => match &part.id_type {
            Some(IdType::Name(name)) if !name.is_empty() => Some(name),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_break_a_header_are_refused() {
        assert!(Database::new("app", "").is_ok());
        assert!(Database::new("example.com:app", "other-db").is_ok());
        for project in ["", "a b", "a\nb", "a/b", "ä", "a&database_id=b"] {
            assert!(
                matches!(Database::new(project, ""), Err(ConnectError::Name { what: "project", .. })),
                "{project}"
            );
        }
        assert!(matches!(Database::new("app", "a=b"), Err(ConnectError::Name { what: "database", .. })));
    }
}
