use super::super::Operation;
use arroba_core::syntax::{Datetime, Did};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};
use thiserror::Error;

/// Why a directory's file could not be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// It could not be read or written.
    #[error("failed to use the directory's file")]
    Io(#[from] io::Error),
    /// Another process has it open.
    #[error("the directory's file is in use by another process")]
    Locked,
    /// A line is no operation, or one that does not fit its log.
    #[error("line {line} of the directory's file is no operation that fits")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The accepted operations as a file: one line of JSON each, appended and synced before the operation is answered.
#[derive(Debug)]
pub(super) struct Journal(File);

/// A line of the file.
pub(super) struct Accepted {
    pub(super) did: Did,
    pub(super) operation: Operation,
    pub(super) created_at: Datetime,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    did: Did,
    #[serde(borrow)]
    operation: &'a RawValue,
    created_at: Datetime,
}

impl Journal {
    /// Opens or creates the file and hands over its lines. What a crash left of an unfinished last line is cut off: it was never
    /// answered.
    pub(super) fn open(
        path: &Path,
        mut each: impl FnMut(Accepted) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> Result<Self, JournalError> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => JournalError::Locked,
            std::fs::TryLockError::Error(error) => JournalError::Io(error),
        })?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for (index, line) in text.get(..whole).unwrap_or_default().lines().enumerate() {
            let read = read(line).and_then(&mut each);
            read.map_err(|source| JournalError::Line { line: index + 1, source })?;
        }
        if whole < text.len() {
            file.set_len(whole as u64)?;
            file.seek(SeekFrom::End(0))?;
        }
        Ok(Self(file))
    }

    pub(super) fn append(
        &mut self,
        did: &Did,
        operation: &Operation,
        created_at: &Datetime,
    ) -> io::Result<()> {
        let line = json!({ "did": did, "operation": operation.to_json(), "createdAt": created_at });
        let before = self.0.metadata()?.len();
        let written = self.0.write_all(format!("{line}\n").as_bytes()).and_then(|()| self.0.sync_data());
        if written.is_err() {
            // A part of a line in the middle would spoil the file; at the end it is cut off when the file is opened again.
            self.0.set_len(before)?;
        }
        written
    }
}

fn read(line: &str) -> Result<Accepted, Box<dyn std::error::Error + Send + Sync>> {
    let line: Line<'_> = serde_json::from_str(line)?;
    let operation = Operation::from_json(line.operation.get().as_bytes())?;
    Ok(Accepted { did: line.did, operation, created_at: line.created_at })
}
