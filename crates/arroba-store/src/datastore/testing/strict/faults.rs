//! Calls that fail, as told or by chance.

use gcloud_sdk::tonic::{Code, Status};
use rand::RngExt;

use super::{RpcKind, State};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether it takes effect first.
    pub when: When,
    /// What is answered; nothing, ever, without a code.
    pub code: Option<Code>,
}

/// Whether a call that fails takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It does not.
    Before,
    /// It does, and its answer is lost.
    After,
}

impl Fault {
    /// The call is not made and fails with this code.
    pub const fn before(code: Code) -> Self {
        Self { when: When::Before, code: Some(code) }
    }

    /// The call is made, and what is answered is this code.
    pub const fn after(code: Code) -> Self {
        Self { when: When::After, code: Some(code) }
    }

    /// The call never answers.
    pub const fn silence(when: When) -> Self {
        Self { when, code: None }
    }

    pub(super) async fn answer<T>(self) -> Result<T, Status> {
        match self.code {
            Some(code) => Err(Status::new(code, "injected")),
            None => std::future::pending().await,
        }
    }
}

/// A fault that waits for its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) kind: RpcKind,
    pub(super) fault: Fault,
}

impl State {
    /// The fault of the call that is about to be made.
    pub(super) fn fault(&mut self, kind: RpcKind, share: f64) -> Option<Fault> {
        if let Some(index) = self.faults.iter().position(|pending| pending.kind == kind) {
            return Some(self.faults.remove(index).fault);
        }
        if share <= 0.0 || self.random.random::<f64>() >= share {
            return None;
        }
        let by_chance = [
            Fault::before(Code::Aborted),
            Fault::before(Code::Unavailable),
            Fault::before(Code::ResourceExhausted),
            Fault::after(Code::Unavailable),
            Fault::after(Code::DeadlineExceeded),
        ];
        Some(by_chance[self.random.random_range(0..by_chance.len())])
    }
}
