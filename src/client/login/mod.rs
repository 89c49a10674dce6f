//! Who may begin a session: by a password as it is, by a digest of it and a nonce that is made for
//! this login alone, or by the number from which they come, where the network vouches for that.
//!
//! [`Logins`] decides what a client's request is; whether a password is right its caller finds out,
//! and says so ([`Logins::succeeded`], [`Logins::failed`]). A user whom there is not is treated as
//! one with another password.

mod challenges;
mod digest;
mod failures;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use crate::csp::Version;
use crate::csp::primitive::session::{LoginRequest, LoginResponse};
use crate::element::{Time, seconds};
use crate::imps::{Address, Code, Status};

use super::settings::Settings;

pub use digest::Schema;

use challenges::{Asker, Challenges};
use failures::Failures;

/// The shortest time for which a client may say nothing, in seconds.
const SHORTEST: u32 = 30;
/// Bytes of a password, a cookie, a client's id; the protocol has 50 characters.
const MAX_TEXT: usize = 256;

/// From where a request comes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub address: IpAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The number of the subscription, in digits, if one who is trusted says so.
    pub number: Option<String>,
}

/// What becomes of a login.
#[derive(Debug, Clone, PartialEq)]
pub enum Begun {
    /// It is answered: refused, or with a challenge.
    Answered(Box<LoginResponse>),
    /// It is to be checked whether this is the user.
    Check(Claim),
}

/// Somebody says to be a user.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    /// The local part of the user's address.
    pub user: String,
    /// By which they show it.
    pub proof: Proof,
}

/// How a user shows who they are.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// With the password.
    Password(String),
    /// With a digest of it.
    Digest {
        /// The nonce of the challenge.
        nonce: String,
        /// How the digest was made.
        schema: Schema,
        /// In base64.
        digest: String,
    },
    /// By the number from which they come.
    Number,
}

/// Without the proof.
impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Proof {
    /// Whether a digest was made of this password. A password is compared otherwise.
    pub fn is_of(&self, password: &str) -> bool {
        match self {
            Self::Password(_) | Self::Number => false,
            Self::Digest {
                nonce,
                schema,
                digest,
            } => schema.is_digest(digest, nonce, password),
        }
    }
}

/// The logins of all users.
#[derive(Debug)]
pub struct Logins {
    settings: Arc<Settings>,
    challenges: Challenges,
    failures: Failures,
}

impl Logins {
    /// Nobody has logged in yet.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            failures: Failures::new(settings.max_failures, settings.lock_out),
            challenges: Challenges::default(),
            settings,
        }
    }

    /// A client wants to log in. `nonce` is fresh chance, for a challenge.
    pub fn begin(
        &mut self,
        request: &LoginRequest,
        version: Version,
        origin: &Origin,
        nonce: String,
        now: Time,
    ) -> Begun {
        let refused = |code: Code, why: &str| {
            let status = Status::new(code).because(why);
            Begun::Answered(Box::new(response(request, status)))
        };
        let texts = [
            request.password.as_deref(),
            request.digest.as_deref(),
            request.cookie.as_deref(),
            request.client.as_ref().map(|client| client.url.as_str()),
        ];
        if texts
            .into_iter()
            .flatten()
            .any(|text| text.len() > MAX_TEXT)
        {
            return refused(Code::BAD_PARAMETER, TOO_LONG);
        }
        let Some(user) = self.user_of(&request.user) else {
            return refused(Code(409), WRONG);
        };
        if self.failures.is_locked(&user, origin.address, now) {
            return refused(Code::FORBIDDEN, LOCKED);
        }
        let given = request.password.as_ref().filter(|text| !text.is_empty());
        let own = self.settings.numbers.get(&user);
        if request.digest.is_none()
            && given.is_none()
            && own.is_some()
            && own == origin.number.as_ref()
        {
            let proof = Proof::Number;
            return Begun::Check(Claim { user, proof });
        }
        let asker = Asker {
            user: user.clone(),
            client: request.client.as_ref().map(|client| client.url.clone()),
            cookie: request.cookie.clone(),
        };
        if let Some(digest) = &request.digest {
            if let Some((nonce, schema)) = self.challenges.take(&asker, now) {
                let digest = digest.clone();
                let proof = Proof::Digest {
                    nonce,
                    schema,
                    digest,
                };
                return Begun::Check(Claim { user, proof });
            }
        } else if let Some(password) = given {
            if self.settings.plain_login.allows(origin.tls) {
                let proof = Proof::Password(password.clone());
                return Begun::Check(Claim { user, proof });
            }
            if !self.settings.digest_login {
                return refused(Code::FORBIDDEN, ENCRYPTED);
            }
        }
        let schema = Schema::choose(&request.schemas.0).filter(|_| self.settings.digest_login);
        let Some(schema) = schema else {
            return refused(Code(543), "There is no way to check a digest.");
        };
        // A client that had a challenge already, or sent its password, must begin again.
        let is_first = request.digest.is_none() && given.is_none();
        let code = if is_first && version < Version::V1_3 {
            Code::OK
        } else {
            Code::UNAUTHORIZED
        };
        self.challenges.add(asker, nonce.clone(), schema, now);
        Begun::Answered(Box::new(LoginResponse {
            nonce: Some(nonce),
            schema: Some(schema.as_str().to_owned()),
            ..response(request, Status::new(code))
        }))
    }

    /// Somebody says in words who they are: by their password as it is.
    ///
    /// # Errors
    /// What they are told instead.
    pub fn in_words(
        &mut self,
        user: &Address,
        password: String,
        origin: &Origin,
        now: Time,
    ) -> Result<Claim, Status> {
        let refused = |code: Code, why: &str| Err(Status::new(code).because(why));
        if password.len() > MAX_TEXT {
            return refused(Code::BAD_PARAMETER, TOO_LONG);
        }
        let Some(user) = self.user_of(user) else {
            return Err(wrong());
        };
        if self.failures.is_locked(&user, origin.address, now) {
            return refused(Code::FORBIDDEN, LOCKED);
        }
        if !self.settings.plain_login.allows(origin.tls) {
            return refused(Code::FORBIDDEN, ENCRYPTED);
        }
        let proof = Proof::Password(password);
        Ok(Claim { user, proof })
    }

    /// It was the user.
    pub fn succeeded(&mut self, user: &str) {
        self.failures.forget(user);
    }

    /// It was not: what they are told, and whether nobody logs in so for a while now.
    pub fn failed(&mut self, user: &str, origin: &Origin, now: Time) -> (Status, bool) {
        let is_locked = self.failures.note(user, origin.address, now);
        (wrong(), is_locked)
    }

    /// For how long a client may say nothing, by what it wants.
    pub fn keep_alive(&self, asked: Option<u32>) -> u32 {
        let longest = seconds(self.settings.keep_alive).max(SHORTEST);
        asked.unwrap_or(longest).clamp(SHORTEST, longest)
    }

    /// The local part of the address of a user of this domain; written with or without scheme and
    /// domain, in any case.
    fn user_of(&self, address: &Address) -> Option<String> {
        let address = address.clone().or_domain(&self.settings.domain);
        let is_ours = address.is_valid() && address.domain() == self.settings.domain;
        let local = address.local().to_lowercase();
        (is_ours && !local.is_empty()).then_some(local)
    }
}

/// Said of a wrong password, and of a user whom there is not.
const WRONG: &str = "The user or the password is wrong.";
const TOO_LONG: &str = "Something of the login is too long.";
const LOCKED: &str = "There were too many failed logins; try again later.";
const ENCRYPTED: &str = "A password is taken over an encrypted connection alone.";

fn wrong() -> Status {
    Status::new(Code(409)).because(WRONG)
}

/// An answer with nothing but an outcome.
pub fn response(request: &LoginRequest, status: Status) -> LoginResponse {
    LoginResponse {
        user: None,
        client: request.client.clone(),
        password: None,
        result: status.into(),
        nonce: None,
        schema: None,
        session: None,
        keep_alive: None,
        wants_capabilities: None,
        functions: None,
        capabilities: None,
    }
}
