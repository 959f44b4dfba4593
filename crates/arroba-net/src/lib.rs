//! HTTP client and DNS for targets that someone else chooses.
