//! Tests of `syntax`.
