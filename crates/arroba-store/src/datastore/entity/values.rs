//! Values to write.

use arroba_core::syntax::Did;
use gcloud_sdk::{
    google::datastore::v1::{ArrayValue, Value, value::ValueType},
    prost_types::{NullValue, Timestamp},
};

use super::{super::Database, AtpRepo, EntityProblem};

pub(super) const fn indexed(value: ValueType) -> Value {
    Value { meaning: 0, exclude_from_indexes: false, value_type: Some(value) }
}

pub(super) const fn unindexed(value: ValueType) -> Value {
    Value { meaning: 0, exclude_from_indexes: true, value_type: Some(value) }
}

pub(super) const fn null() -> ValueType {
    ValueType::NullValue(NullValue::NullValue as i32)
}

pub(super) fn text(text: &(impl ToString + ?Sized)) -> ValueType {
    ValueType::StringValue(text.to_string())
}

pub(super) fn or_null(value: Option<ValueType>) -> ValueType {
    value.unwrap_or(null())
}

pub(super) fn array(values: impl IntoIterator<Item = ValueType>) -> ValueType {
    ValueType::ArrayValue(ArrayValue { values: values.into_iter().map(indexed).collect() })
}

pub(super) fn integer(number: u64) -> Result<ValueType, EntityProblem> {
    i64::try_from(number).map(ValueType::IntegerValue).map_err(|_| EntityProblem::Range)
}

pub(super) fn repo(database: &Database, did: &Did) -> ValueType {
    ValueType::KeyValue(AtpRepo::key(database, did))
}

/// The last moment that the database takes: the end of the year 9999, in seconds since 1970.
pub(super) const LAST_SECOND: i64 = 253_402_300_799;

pub(super) fn time(micros: u64) -> Result<ValueType, EntityProblem> {
    let seconds = i64::try_from(micros / 1_000_000)
        .ok()
        .filter(|seconds| *seconds <= LAST_SECOND)
        .ok_or(EntityProblem::Time)?;
    let nanos = i32::try_from(micros % 1_000_000).map_err(|_| EntityProblem::Time)? * 1_000;
    Ok(ValueType::TimestampValue(Timestamp { seconds, nanos }))
}
