use super::{Kind, LogError, Operation, OperationError, State, did_from_genesis};
use arroba_core::{
    data::{Cid, Value, json},
    syntax::{Datetime, Did},
};
use std::time::Duration;

/// How long after an operation a mightier key may still replace it; exactly this long is in time.
pub const RECOVERY_WINDOW: Duration = Duration::from_secs(72 * 60 * 60);

/// An operation in a directory's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Whose operation it is.
    pub did: Did,
    /// The operation.
    pub operation: Operation,
    /// The operation's CID, as the directory says.
    pub cid: Cid,
    /// Whether the directory says that a later operation has taken its place.
    pub nullified: bool,
    /// When the directory accepted it.
    pub created_at: Datetime,
}

impl LogEntry {
    /// Reads a whole audit log from JSON.
    ///
    /// # Errors
    /// [`OperationError`] for anything but a list of entries.
    pub fn list_from_json(text: &[u8]) -> Result<Vec<Self>, OperationError> {
        match json::from_slice(text).map_err(OperationError::Json)? {
            Value::List(entries) => entries.into_iter().map(Self::from_value).collect(),
            _ => Err(OperationError::NotObject),
        }
    }

    fn from_value(value: Value<'_>) -> Result<Self, OperationError> {
        let Value::Map(mut entry) = value else { return Err(OperationError::NotObject) };
        let operation = entry.remove("operation").ok_or(OperationError::Field("operation"))?;
        let text = |key| entry.get(key).and_then(Value::as_text).ok_or(OperationError::Field(key));
        Ok(Self {
            did: Did::parse(text("did")?).map_err(|_| OperationError::Field("did"))?,
            operation: Operation::from_value(operation)?,
            cid: Cid::parse(text("cid")?).map_err(|_| OperationError::Field("cid"))?,
            nullified: entry
                .get("nullified")
                .and_then(Value::as_bool)
                .ok_or(OperationError::Field("nullified"))?,
            created_at: Datetime::parse(text("createdAt")?)
                .map_err(|_| OperationError::Field("createdAt"))?,
        })
    }

    /// The entry as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "did": self.did.as_str(),
            "operation": self.operation.to_json(),
            "cid": self.cid.to_string(),
            "nullified": self.nullified,
            "createdAt": self.created_at.as_str(),
        })
    }
}

/// The operations of one identity. Whatever is in it was valid when it came.
#[derive(Debug, Clone)]
pub struct Log {
    did: Did,
    entries: Vec<LogEntry>,
}

/// What became of the log with a new operation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Appended {
    /// The operations whose place it took, oldest first: none unless it is a recovery.
    pub nullified: Vec<Cid>,
}

impl Log {
    /// A log without operations.
    #[must_use]
    pub const fn new(did: Did) -> Self {
        Self { did, entries: Vec::new() }
    }

    /// Whose log it is.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// All operations, also those that are nullified, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[LogEntry] {
        &self.entries
    }

    /// The operations that are not nullified, oldest first.
    pub fn valid(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.entries.iter().filter(|entry| !entry.nullified)
    }

    /// The newest operation that is not nullified.
    #[must_use]
    pub fn last(&self) -> Option<&LogEntry> {
        self.valid().next_back()
    }

    /// The identity's state: none if there is no operation, or the last is a tombstone.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.last().and_then(|entry| entry.operation.state())
    }

    /// What an operation would nullify, if it is valid at this time.
    ///
    /// The signer must be a rotation key of the operation that this one follows on: never of its own, except
    /// for the first. If that is not the last operation, the new one takes the place of all that came after,
    /// for which its signer must stand before the signer of the first of these, and be in time.
    ///
    /// # Errors
    /// [`LogError`], leaving the log as it is.
    pub fn check(&self, operation: &Operation, now: &Datetime) -> Result<Appended, LogError> {
        let Some(prev) = operation.prev() else {
            return if self.entries.is_empty() {
                self.check_genesis(operation)
            } else {
                Err(LogError::Misordered)
            };
        };
        let newest = self.entries.last().ok_or(LogError::NotGenesis)?;
        if matches!(operation.kind(), Kind::Create(_)) {
            return Err(LogError::Legacy);
        }
        if now.unix_micros() < newest.created_at.unix_micros() {
            return Err(LogError::Time);
        }
        let is_prev = |entry: &LogEntry| entry.cid == prev && !entry.nullified;
        let fork = self.entries.iter().rposition(is_prev).ok_or(LogError::Misordered)?;
        let (before, after) = self.entries.split_at(fork + 1);
        let keys = &before[fork].operation.state().ok_or(LogError::Tombstoned)?.rotation_keys;
        let mut after = after.iter().filter(|entry| !entry.nullified);
        let Some(disputed) = after.next() else {
            operation.signer(keys).ok_or(LogError::Signature)?;
            return Ok(Appended { nullified: Vec::new() });
        };
        let disputed_signer = disputed.operation.signer(keys).ok_or(LogError::Signature)?;
        operation.signer(&keys[..disputed_signer]).ok_or(LogError::Signature)?;
        let elapsed = now.unix_micros().saturating_sub(disputed.created_at.unix_micros());
        if elapsed > RECOVERY_WINDOW.as_micros() as i64 {
            return Err(LogError::LateRecovery);
        }
        if now.unix_micros() == newest.created_at.unix_micros() {
            return Err(LogError::Time);
        }
        let nullified = std::iter::once(disputed).chain(after).map(|entry| entry.cid).collect();
        Ok(Appended { nullified })
    }

    fn check_genesis(&self, operation: &Operation) -> Result<Appended, LogError> {
        let state = operation.state().ok_or(LogError::NotGenesis)?;
        if did_from_genesis(operation) != self.did {
            return Err(LogError::WrongDid);
        }
        operation.signer(&state.rotation_keys).ok_or(LogError::Signature)?;
        Ok(Appended { nullified: Vec::new() })
    }

    /// Adds an operation that the directory accepts at this time.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), leaving the log as it is.
    pub fn append(&mut self, operation: Operation, now: Datetime) -> Result<Appended, LogError> {
        let appended = self.check(&operation, &now)?;
        for entry in &mut self.entries {
            entry.nullified |= appended.nullified.contains(&entry.cid);
        }
        let (did, cid) = (self.did.clone(), operation.cid());
        self.entries.push(LogEntry { did, operation, cid, nullified: false, created_at: now });
        Ok(appended)
    }
}

/// Verifies an audit log as a directory gives it: every signature, every link, every time, and every mark.
///
/// # Errors
/// [`LogError`], of the first entry that is wrong.
pub fn verify_log(did: &Did, entries: Vec<LogEntry>) -> Result<Log, LogError> {
    let mut log = Log::new(did.clone());
    let mut claims = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.did != *did {
            return Err(LogError::OtherDid);
        }
        if entry.cid != entry.operation.cid() {
            return Err(LogError::WrongCid(entry.cid));
        }
        claims.push(entry.nullified);
        log.append(entry.operation, entry.created_at)?;
    }
    if log.entries.is_empty() {
        return Err(LogError::Empty);
    }
    for (entry, claim) in log.entries.iter().zip(claims) {
        if entry.nullified != claim {
            return Err(LogError::WrongNullified(entry.cid));
        }
    }
    Ok(log)
}
