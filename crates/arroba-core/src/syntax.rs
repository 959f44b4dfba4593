//! Identifiers and string formats.
