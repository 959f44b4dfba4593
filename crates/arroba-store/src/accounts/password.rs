//! Passwords: argon2id on a few blocking threads, the same work whether or not the account exists.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::StoreError;

/// A stored password: a PHC string. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    pub(super) fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PasswordHash(..)")
    }
}

/// Hashes and checks passwords.
///
/// Each takes tens of milliseconds and 19 MiB, so only a few run at once and the others wait: a flood of logins
/// costs the attacker his patience and not the server its memory.
#[derive(Clone, Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
    params: Params,
    /// Checked against when there is no account, so that the answer takes as long.
    nobody: PasswordHash,
}

impl Passwords {
    /// OWASP's parameters (19 MiB, 2 passes), `at_once` at a time.
    ///
    /// # Errors
    /// [`StoreError::Backend`] if the system has no randomness.
    pub fn new(at_once: usize) -> Result<Self, StoreError> {
        Self::with_params(at_once, Params::default())
    }

    /// The cheapest parameters that argon2 allows, for tests: they protect nothing.
    ///
    /// # Errors
    /// As [`Passwords::new`].
    pub fn weak_for_tests() -> Result<Self, StoreError> {
        let params = Params::new(Params::MIN_M_COST, 1, 1, None).map_err(backend)?;
        Self::with_params(4, params)
    }

    fn with_params(at_once: usize, params: Params) -> Result<Self, StoreError> {
        let places = Arc::new(Semaphore::new(at_once.max(1)));
        let nobody = hash(&params, b"nobody's password")?;
        Ok(Self { places, params, nobody })
    }

    /// Hashes a new password with a fresh salt.
    ///
    /// # Errors
    /// [`StoreError::Backend`] if hashing fails.
    pub async fn hash(&self, password: &str) -> Result<PasswordHash, StoreError> {
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let params = self.params.clone();
        self.run(move || hash(&params, &password)).await?
    }

    /// Whether `password` is the one behind `stored`. Without a stored one the work is done all the same and the
    /// answer is no.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the stored hash cannot be read.
    pub async fn verify(&self, stored: Option<&PasswordHash>, password: &str) -> Result<bool, StoreError> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).clone();
        let password = Zeroizing::new(password.as_bytes().to_vec());
        let matches = self
            .run(move || {
                let parsed = phc::PasswordHash::new(&stored.0)
                    .map_err(|e| StoreError::corrupt_by("a password hash", Hashing(e.to_string())))?;
                Ok::<_, StoreError>(Argon2::default().verify_password(&password, &parsed).is_ok())
            })
            .await??;
        Ok(known && matches)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(StoreError::backend)?;
        // The place goes with the work: a caller that hangs up does not make room before the work is done.
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(place);
            result
        })
        .await
        .map_err(StoreError::backend)
    }
}

fn hash(params: &Params, password: &[u8]) -> Result<PasswordHash, StoreError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let salt: [u8; 16] = rand::random();
    let phc: phc::PasswordHash = argon2.hash_password_with_salt(password, &salt).map_err(backend)?;
    Ok(PasswordHash(phc.to_string()))
}

/// Keeps the library's error without its type.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed: {0}")]
struct Hashing(String);

fn backend(error: impl fmt::Display) -> StoreError {
    StoreError::backend(Hashing(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash() {
        let passwords = Passwords::weak_for_tests().unwrap();
        let stored = passwords.hash("hunter2").await.unwrap();
        assert!(stored.as_str().starts_with("$argon2id$v=19$"));
        assert!(passwords.verify(Some(&stored), "hunter2").await.unwrap());
        assert!(!passwords.verify(Some(&stored), "hunter3").await.unwrap());
        assert!(!passwords.verify(None, "nobody's password").await.unwrap());
        assert_ne!(stored, passwords.hash("hunter2").await.unwrap(), "salts differ");
        assert_eq!(format!("{stored:?}"), "PasswordHash(..)");
    }

    #[tokio::test]
    async fn an_unknown_account_costs_the_same_work() {
        let mut passwords = Passwords::weak_for_tests().unwrap();
        let stored = passwords.hash("hunter2").await.unwrap();
        let cost = |hash: &PasswordHash| hash.as_str().split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(&passwords.nobody), cost(&stored), "the same parameters");
        // If nobody's hash cannot be read that is noticed, so it is read, and the work is done.
        passwords.nobody = PasswordHash::from_stored("x".into());
        assert!(matches!(passwords.verify(None, "hunter2").await, Err(StoreError::Corrupt { .. })));
    }

    #[tokio::test]
    async fn only_so_many_are_hashed_at_once() {
        let passwords =
            Passwords { places: Arc::new(Semaphore::new(2)), ..Passwords::weak_for_tests().unwrap() };
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        let mut held: Vec<_> = (0..2)
            .map(|_| {
                let released = Arc::clone(&released);
                Box::pin(passwords.run(move || {
                    let end = released.lock().unwrap().recv_timeout(std::time::Duration::from_secs(60));
                    end.is_ok()
                }))
            })
            .collect();
        for place in &mut held {
            assert!(futures::poll!(place).is_pending());
        }
        let mut third = Box::pin(passwords.verify(None, "x"));
        assert!(futures::poll!(&mut third).is_pending());
        assert_eq!(passwords.places.available_permits(), 0);
        // Who hangs up makes no room: the work goes on.
        drop(held.pop());
        assert!(futures::poll!(&mut third).is_pending());
        assert_eq!(passwords.places.available_permits(), 0);
        release.send(()).unwrap();
        release.send(()).unwrap();
        assert!(!third.await.unwrap());
        for place in held {
            assert!(place.await.unwrap());
        }
    }

    #[tokio::test]
    async fn old_parameters_still_verify() {
        let stored = Passwords::weak_for_tests().unwrap().hash("hunter2").await.unwrap();
        let strong = Passwords::new(1).unwrap();
        assert!(strong.verify(Some(&stored), "hunter2").await.unwrap());
        let broken = PasswordHash::from_stored("x".into());
        assert!(matches!(strong.verify(Some(&broken), "x").await, Err(StoreError::Corrupt { .. })));
    }
}
