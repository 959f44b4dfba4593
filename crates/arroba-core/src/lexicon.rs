//! Lexicon schemas and validation.
