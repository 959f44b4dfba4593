//! Pictures of trees.
