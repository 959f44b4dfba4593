//! The operations of a commit: stored as four arrays side by side whose names have a dot, or (read only) as an array of entities.

use std::collections::HashMap;

use arroba_core::{
    data::{Cid, Codec},
    event::{Action, RepoOp},
    syntax::RecordPath,
};
use gcloud_sdk::google::datastore::v1::{Entity, Value, value::ValueType};

use super::{
    EntityError, EntityProblem,
    properties::{Properties, cid, text, wrong},
    values::{self, array, indexed, or_null},
};

/// The fields of one operation, as far as they are there.
#[derive(Default)]
struct Fields {
    action: Option<ValueType>,
    path: Option<ValueType>,
    cid: Option<ValueType>,
    prev: Option<ValueType>,
}

/// Reads whichever form is there.
pub(super) fn take(from: &mut Properties) -> Result<Vec<RepoOp>, EntityError> {
    let embedded = from.take_array(OPS).unwrap_or_default();
    let mut all = dotted(from);
    if !embedded.is_empty() {
        if !all.is_empty() {
            return Err(from.error(OPS, EntityProblem::BothForms));
        }
        let fields = embedded.into_iter().map(|value| match value {
            ValueType::EntityValue(entity) => Ok(Fields::of(entity)),
            other => Err(from.error(OPS, wrong("entity", &other))),
        });
        all = fields.collect::<Result<_, _>>()?;
    }
    all.into_iter().enumerate().map(|(index, fields)| fields.operation(from, index)).collect()
}

/// The four arrays; the shorter ones end in nulls.
fn dotted(from: &mut Properties) -> Vec<Fields> {
    let mut column = |name| from.take_array(name).unwrap_or_default();
    let [actions, paths, cids, prevs] = [ACTION, PATH, CID, PREV].map(&mut column);
    let length = actions.len().max(paths.len()).max(cids.len()).max(prevs.len());
    let [mut actions, mut paths, mut cids, mut prevs] = [actions, paths, cids, prevs].map(Vec::into_iter);
    let row = |_| Fields { action: actions.next(), path: paths.next(), cid: cids.next(), prev: prevs.next() };
    (0..length).map(row).collect()
}

impl Fields {
    fn of(mut entity: Entity) -> Self {
        let mut field = |name: &str| entity.properties.remove(name).and_then(|value| value.value_type);
        Self { action: field("action"), path: field("path"), cid: field("cid"), prev: field("prev_cid") }
    }

    fn operation(self, from: &Properties, index: usize) -> Result<RepoOp, EntityError> {
        let required = |name, value: Option<ValueType>| {
            let value = value.ok_or(EntityProblem::Missing).and_then(text);
            value.map_err(|problem| from.error(name, problem))
        };
        let action = required(ACTION, self.action)?;
        let action = [Action::Create, Action::Update, Action::Delete]
            .into_iter()
            .find(|known| known.as_str() == action)
            .ok_or_else(|| from.error(ACTION, EntityProblem::Unknown(action)))?;
        let path = RecordPath::parse(&required(PATH, self.path)?)
            .map_err(|problem| from.error(PATH, EntityProblem::Syntax(problem)))?;
        let op = RepoOp {
            action,
            path,
            cid: optional_cid(self.cid).map_err(|problem| from.error(CID, problem))?,
            prev: optional_cid(self.prev).map_err(|problem| from.error(PREV, problem))?,
        };
        let fits = match action {
            Action::Create => op.cid.is_some() && op.prev.is_none(),
            Action::Update => op.cid.is_some(),
            Action::Delete => op.cid.is_none(),
        };
        if fits { Ok(op) } else { Err(from.error(CID, EntityProblem::Operation(index))) }
    }
}

/// A CID; null and an empty text are none.
fn optional_cid(value: Option<ValueType>) -> Result<Option<Cid>, EntityProblem> {
    match value {
        None | Some(ValueType::NullValue(_)) => Ok(None),
        Some(value) => {
            let text = text(value)?;
            if text.is_empty() { Ok(None) } else { cid(&text, Codec::DagCbor).map(Some) }
        }
    }
}

/// The four arrays; nothing at all without operations.
pub(super) fn values(ops: &[RepoOp]) -> HashMap<String, Value> {
    if ops.is_empty() {
        return HashMap::new();
    }
    let cids = |cid: fn(&RepoOp) -> Option<Cid>| {
        indexed(array(ops.iter().map(|op| or_null(cid(op).map(|cid| values::text(&cid))))))
    };
    HashMap::from([
        (ACTION.to_owned(), indexed(array(ops.iter().map(|op| values::text(op.action.as_str()))))),
        (PATH.to_owned(), indexed(array(ops.iter().map(|op| values::text(&op.path))))),
        (CID.to_owned(), cids(|op| op.cid)),
        (PREV.to_owned(), cids(|op| op.prev)),
    ])
}

const OPS: &str = "ops";
const ACTION: &str = "ops.action";
const PATH: &str = "ops.path";
const CID: &str = "ops.cid";
const PREV: &str = "ops.prev_cid";
