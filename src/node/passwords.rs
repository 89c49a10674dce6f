//! Passwords of users: made into what is kept, and checked.

use tokio::sync::Semaphore;

use super::clock;
use crate::home::{Credentials, Seal, password};
use crate::sap::Random;

/// Hashing costs much processor time and memory: so many at a time.
const AT_ONCE: usize = 2;

/// What makes and checks what is kept of passwords.
#[derive(Debug)]
pub struct Passwords {
    seal: Option<Seal>,
    places: Semaphore,
    random: Random,
}

impl Passwords {
    /// With this seal, passwords are kept so that digests of them can be checked.
    pub fn new(seal: Option<Seal>) -> Self {
        Self {
            seal,
            places: Semaphore::new(AT_ONCE),
            random: clock::random(),
        }
    }

    /// What is kept of a user's password.
    ///
    /// # Errors
    /// Why it cannot be one.
    pub async fn keep(&self, user: &str, password: String) -> Result<Credentials, String> {
        if password.is_empty() {
            return Err("the password is empty".to_owned());
        }
        let sealed = self.seal(user, &password);
        let salt = self.random.bytes();
        let hashed = self.heavy(move || password::hash(&password, &salt)).await;
        let hashed = hashed.ok_or_else(|| "the password cannot be hashed".to_owned())?;
        let hash = hashed.map_err(|error| error.to_string())?;
        Ok(Credentials { hash, sealed })
    }

    /// A user's password, encrypted; `None` if it is not kept so.
    pub fn seal(&self, user: &str, password: &str) -> Option<String> {
        let chance = self.random.bytes();
        let seal = self.seal.as_ref()?;
        seal.seal(&user.to_lowercase(), password, chance)
    }

    /// A user's password as it was encrypted; `None` if it cannot be had.
    pub fn open(&self, user: &str, sealed: &str) -> Option<String> {
        self.seal.as_ref()?.open(&user.to_lowercase(), sealed)
    }

    /// Whether digests of passwords can be checked.
    pub fn can_open(&self) -> bool {
        self.seal.is_some()
    }

    /// Whether it is the password of which the hash was made.
    pub async fn verify(&self, given: String, hash: String) -> bool {
        let verified = self.heavy(move || password::verify(&given, &hash));
        verified.await.unwrap_or(false)
    }

    /// How many wait for their turn is the caller's business.
    async fn heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _place = self.places.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }
}
