//! Where clients log in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::attendant::Attendant;
use super::key::Key;
use super::records;
use super::sessions::{Order, Place, Sessions};
use crate::client::login::{Begun, Claim, Logins, Origin, Proof, response};
use crate::client::meaning::Terms;
use crate::client::session::{Record, Session};
use crate::client::settings::Settings;
use crate::csp::primitive::session::{LoginRequest, LoginResponse};
use crate::csp::{Encoding, Version};
use crate::element::{Over, Takes};
use crate::home::{Credentials, Home, UserError};
use crate::imps::{Address, Code, Status};
use crate::node::{Core, NodeHandle, clock};
use crate::sap::Random;

/// Logins that are checked or wait to be; our choice: two are checked at a time, each for some tens
/// of milliseconds.
const MAX_CHECKS: usize = 100;
/// Compared with the password of a user whom there is not, so that it takes as long.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Lets clients in.
pub(super) struct Entrance {
    settings: Arc<Settings>,
    sessions: Arc<Sessions>,
    node: NodeHandle,
    logins: Mutex<Logins>,
    checks: Semaphore,
    random: Random,
    /// By the number of a subscription, the local part of its user's address.
    of_number: HashMap<String, String>,
}

/// A user, as far as a login concerns it.
struct Account {
    credentials: Credentials,
    is_disabled: bool,
}

impl Entrance {
    pub(super) fn new(settings: Arc<Settings>, sessions: Arc<Sessions>, node: NodeHandle) -> Self {
        Self {
            logins: Mutex::new(Logins::new(Arc::clone(&settings))),
            checks: Semaphore::new(MAX_CHECKS),
            random: clock::random(),
            of_number: settings.users_by_number(),
            settings,
            sessions,
            node,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Logins) -> T) -> T {
        work(&mut self.logins.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a login is answered. If it succeeds, the session is on disk.
    pub(super) async fn enter(
        &self,
        request: &LoginRequest,
        (version, encoding): (Version, Encoding),
        origin: Origin,
    ) -> LoginResponse {
        let now = self.node.clock().now();
        let nonce = self.random.hex(16);
        let begun = self.with(|logins| logins.begin(request, version, &origin, nonce, now));
        let claim = match begun {
            Begun::Answered(answer) => return *answer,
            Begun::Check(claim) => claim,
        };
        let refused = |status: Status| response(request, status);
        if let Err(status) = self.check(&claim, &origin).await {
            return refused(status);
        }
        let form = (version, encoding);
        let entered = self.admit(request, &claim.user, form, origin.address).await;
        entered.unwrap_or_else(refused)
    }

    /// Who logs in in words, with a password as it is: the local part of the user's address.
    pub(super) async fn enter_in_words(
        &self,
        user: &str,
        password: String,
        origin: &Origin,
    ) -> Result<String, Status> {
        let now = self.node.clock().now();
        let user = Address::new(user);
        let claim = self.with(|logins| logins.in_words(&user, password, origin, now))?;
        self.check(&claim, origin).await?;
        Ok(claim.user)
    }

    /// The local part of the address of the user whose number this is.
    pub(super) fn of_number(&self, number: &str) -> Option<&str> {
        self.of_number.get(number).map(String::as_str)
    }

    /// Whether it is the user who says so, and may log in.
    ///
    /// # Errors
    /// What they are told.
    async fn check(&self, claim: &Claim, origin: &Origin) -> Result<(), Status> {
        let Ok(_place) = self.checks.try_acquire() else {
            let why = "Too many logins are under way.";
            return Err(Status::new(Code::UNAVAILABLE).because(why));
        };
        let account = self.account(&claim.user).await?;
        if !self.is_right(claim, account.as_ref()).await {
            let now = self.node.clock().now();
            let (status, is_locked) = self.with(|logins| logins.failed(&claim.user, origin, now));
            tracing::warn!(
                user = claim.user,
                address = %origin.address,
                locked_out = is_locked,
                "a login of a client failed"
            );
            return Err(status);
        }
        self.with(|logins| logins.succeeded(&claim.user));
        let Some(account) = account.filter(|account| !account.is_disabled) else {
            return Err(Over::Disabled.status());
        };
        self.keep_password(claim, &account.credentials).await;
        Ok(())
    }

    async fn account(&self, user: &str) -> Result<Option<Account>, Status> {
        let name = user.to_owned();
        let look = move |core: &mut Core, _, _: &mut _| {
            let home = core.element::<Home>().filter(|home| home.has_users())?;
            match (home.credentials(&name), home.not_awake(&name)) {
                (Some(credentials), _) => Some(Ok(Account {
                    credentials,
                    is_disabled: home.is_disabled(&name),
                })),
                (None, UserError::Unavailable(_)) => Some(Err(Over::Unavailable.status())),
                (None, _) => None,
            }
        };
        let found = self.node.ask_for_user(user, look).await;
        found.map_err(|_| stopping())?.transpose()
    }

    async fn is_right(&self, claim: &Claim, account: Option<&Account>) -> bool {
        let passwords = self.node.passwords();
        match (&claim.proof, account) {
            (Proof::Password(given), _) => {
                let hash = account.map_or(NOBODY, |account| &account.credentials.hash);
                let is_it = passwords.verify(given.clone(), hash.to_owned()).await;
                is_it && account.is_some()
            }
            (Proof::Number, account) => account.is_some(),
            (Proof::Digest { .. }, None) => false,
            (Proof::Digest { .. }, Some(account)) => {
                let sealed = account.credentials.sealed.as_deref();
                let password = sealed.and_then(|sealed| passwords.open(&claim.user, sealed));
                if password.is_none() {
                    tracing::warn!(
                        user = claim.user,
                        "no digest of the password can be checked: set it again"
                    );
                }
                password.is_some_and(|password| claim.proof.is_of(&password))
            }
        }
    }

    /// Keeps a password that came as it is, so that a digest of it can be checked from now on.
    async fn keep_password(&self, claim: &Claim, kept: &Credentials) {
        let Proof::Password(password) = &claim.proof else {
            return;
        };
        let passwords = self.node.passwords();
        let is_kept =
            |sealed: &String| passwords.open(&claim.user, sealed).as_ref() == Some(password);
        if kept.sealed.as_ref().is_some_and(is_kept) {
            return;
        }
        let Some(sealed) = passwords.seal(&claim.user, password) else {
            return;
        };
        let (name, hash) = (claim.user.clone(), kept.hash.clone());
        let credentials = Credentials {
            sealed: Some(sealed),
            ..kept.clone()
        };
        let work = move |core: &mut Core, now, turn: &mut _| {
            core.administer(now, turn, |home: &mut Home| {
                // Unless it was changed in the meantime.
                if home.password_hash(&name) == Some(&hash) {
                    let _ = home.set_password_hash(&name, credentials);
                }
            });
        };
        let _ = self.node.change_for_user(&claim.user, work).await;
    }

    /// Begins the session of a user who is who they say.
    async fn admit(
        &self,
        request: &LoginRequest,
        user: &str,
        (version, encoding): (Version, Encoding),
        from: IpAddr,
    ) -> Result<LoginResponse, Status> {
        let keep_alive = self.with(|logins| logins.keep_alive(request.time_to_live));
        let client = request.client.as_ref().map(|client| client.url.as_str());
        let granted = |session: &str, wants_capabilities: bool| LoginResponse {
            session: Some(session.to_owned()),
            keep_alive: Some(keep_alive),
            wants_capabilities: Some(wants_capabilities),
            ..response(request, Status::ok())
        };
        if let Some(old) = &request.session {
            self.again(old, user, client, keep_alive).await?;
            return Ok(granted(old, false));
        }
        if let Some(client) = client.filter(|client| !client.is_empty())
            && let Some(old) = self.sessions.find_client(user, client)
        {
            let (done, over) = oneshot::channel();
            if old.order(Order::Close { done }).await {
                let _ = over.await;
            }
            // Its place is free when its task has ended.
            old.orders.closed().await;
        }
        let Some(place) = self.sessions.place(user) else {
            return Err(Over::TooMany.status());
        };
        let address = Address::user(user, &self.settings.domain);
        let mut terms = Terms::new(address, version);
        terms.client.clone_from(&request.client);
        terms.wbxml = encoding == Encoding::Wbxml;
        terms.recognize(&self.settings.kinds, self.settings.kind_of(user));
        let mut record = Record {
            user: user.to_owned(),
            terms,
            cookie: request.cookie.clone(),
            keep_alive,
            begun: self.node.clock().now(),
            address: from,
            wake: Vec::new(),
            udp_port: None,
            wake_token: self
                .settings
                .offer
                .http
                .as_ref()
                .map(|_| self.random.hex(16)),
            transactions: 1,
            parser_size: None,
        };
        let (functions, capabilities) = record.agree(request, &self.settings);
        let id = self.random.hex(20);
        self.begin(&id, record, place).await?;
        tracing::info!(
            user,
            session = %Key::of(&id),
            version = %version,
            address = %from,
            "a client has logged in"
        );
        let granted = granted(&id, capabilities.is_none());
        Ok(LoginResponse {
            functions,
            capabilities,
            ..granted
        })
    }

    /// Goes on with a session that a client names.
    async fn again(
        &self,
        id: &str,
        user: &str,
        client: Option<&str>,
        keep_alive: u32,
    ) -> Result<(), Status> {
        let cannot = || {
            let why = "The session is no more; log in without it.";
            Status::new(Code(502)).because(why)
        };
        let old = self.sessions.find(Key::of(id)).ok_or_else(cannot)?;
        if old.user != user || old.client.as_deref() != client {
            let why = "The session is that of another user or client.";
            return Err(Status::new(Code(422)).because(why));
        }
        let (done, renewed) = oneshot::channel();
        let order = Order::Renew { keep_alive, done };
        if !old.order(order).await {
            return Err(cannot());
        }
        renewed.await.map_err(|_| cannot())
    }

    async fn begin(&self, id: &str, record: Record, place: Place) -> Result<(), Status> {
        let delivery = record.terms.delivery();
        let entered = self
            .node
            .client_enter(&record.user, Takes::Everything, delivery)
            .await;
        let entered = entered.map_err(|_| stopping())?;
        let (home, opened) = entered.map_err(Over::status)?;
        let key = Key::of(id);
        let kept = records::keep(&self.node, key, &record).await;
        if !kept.map_err(|_| stopping())? {
            let why = "The session cannot be kept.";
            return Err(Status::new(Code::UNAVAILABLE).because(why));
        }
        let now = self.node.clock().now();
        let mut session = Session::new(Arc::clone(&self.settings), record, now);
        session.told(opened, now);
        Attendant::begin(&self.sessions, key, session, home, place);
        Ok(())
    }
}

pub(super) fn stopping() -> Status {
    Status::new(Code::UNAVAILABLE).because("The node stops.")
}
