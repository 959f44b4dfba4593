//! AT Protocol repositories and a Personal Data Server as a library.

pub mod config;
mod secrets;

pub use secrets::{Secrets, SecretsError};
