//! Tests of `mst`.
