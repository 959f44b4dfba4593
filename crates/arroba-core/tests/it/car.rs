//! Tests of `car`.
