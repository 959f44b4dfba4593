//! Keys, signatures, JSON web tokens.
