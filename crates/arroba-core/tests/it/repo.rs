//! Tests of `repo`.
