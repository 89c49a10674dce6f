//! One message of a client, until it is answered.

use bytes::Bytes;

use crate::csp::primitive::session::Disconnect;
use crate::csp::{Body, Encoding, Message, Mode, Primitive, Session, Style, Transaction, Version};
use crate::imps::{Code, Status};

/// What came with one post.
#[derive(Debug, Clone)]
pub struct Said {
    /// The transactions, and the session that they name.
    pub session: Session,
    /// The version of the message.
    pub version: Version,
    /// How it is written.
    pub encoding: Encoding,
    /// The same for the same message.
    pub mark: u64,
    /// From where it came.
    pub address: std::net::IpAddr,
}

/// A message under way.
#[derive(Debug)]
pub(super) struct Post {
    /// Those who wait for the answer: the message came again before it was answered.
    pub(super) posts: Vec<u64>,
    /// The id by which the client has named the session.
    pub(super) id: String,
    pub(super) version: Version,
    pub(super) encoding: Encoding,
    /// If the answer is remembered.
    pub(super) mark: Option<u64>,
    /// An answer for each request, as far as it is known.
    pub(super) replies: Vec<Option<Transaction>>,
    /// Numbers to acknowledge when the answer goes out.
    pub(super) numbers: Vec<u64>,
    /// All its transactions were taken.
    pub(super) is_whole: bool,
    /// Nothing that waits goes with the answer: the client comes too often.
    pub(super) is_early: bool,
}

impl Said {
    /// The answer to a message that is not taken: each request of it is refused. Nothing if it
    /// cannot be written.
    pub fn refused(&self, status: &Status) -> Option<Bytes> {
        Post::of(0, self).refused(&self.session.transactions, status)
    }

    /// The message with this answer to its first transaction.
    pub fn answered(&self, answer: Primitive) -> Option<Bytes> {
        let id = self.session.transactions.first();
        let id = id.and_then(|transaction| transaction.id.clone());
        let answer = Transaction::answer(id, answer);
        Post::of(0, self).message(vec![answer], false, None, (None, &Style::default()))
    }
}

impl Post {
    /// Of what came under this number; nothing of it is taken yet.
    pub(super) fn of(post: u64, said: &Said) -> Self {
        Self {
            posts: vec![post],
            id: said.session.id.clone().unwrap_or_default(),
            version: said.version,
            encoding: said.encoding,
            mark: None,
            replies: Vec::new(),
            numbers: Vec::new(),
            is_whole: false,
            is_early: false,
        }
    }

    /// The message in which each of these requests is refused. Who only looks hears it as well.
    pub(super) fn refused(&self, transactions: &[Transaction], status: &Status) -> Option<Bytes> {
        let refusal = |id| Transaction::answer(id, Primitive::status(status.clone()));
        let asking = transactions.iter().filter(|one| one.mode == Mode::Request);
        let mut replies: Vec<Transaction> = asking.map(|one| refusal(one.id.clone())).collect();
        if replies.is_empty() {
            replies.push(refusal(transactions.first().and_then(|one| one.id.clone())));
        }
        self.message(replies, false, None, (None, &Style::default()))
    }

    /// Whether everything is answered.
    pub(super) fn is_complete(&self) -> bool {
        self.is_whole && self.replies.iter().all(Option::is_some)
    }

    /// The message with these transactions. What cannot be written so, or is larger than the client
    /// can read, becomes a status.
    pub(super) fn message(
        &self,
        transactions: Vec<Transaction>,
        poll: bool,
        cir: Option<bool>,
        (most, style): (Option<u32>, &Style),
    ) -> Option<Bytes> {
        let id = Some(self.id.clone()).filter(|id| !id.is_empty());
        let message = |transactions| Message {
            version: self.version,
            body: Body::Session(Session {
                poll: Some(poll),
                cir: cir.filter(|_| self.version > Version::V1_1),
                ..Session::new(id.clone(), transactions)
            }),
        };
        let whole = message(transactions.clone());
        let why = match whole.write_in(self.encoding, style) {
            Ok(body) => {
                let fits = |most| u32::try_from(body.len()).is_ok_and(|size| size <= most);
                if most.is_none_or(fits) {
                    return Some(body.into());
                }
                Status::new(Code(432)).because("The answer is larger than the client can read.")
            }
            Err(unfit) => {
                tracing::warn!(version = %self.version, "a client cannot be told something: {unfit}");
                Status::new(Code::INTERNAL).because("The answer cannot be written.")
            }
        };
        let instead = |one: Transaction| Transaction {
            primitive: Primitive::status(why.clone()),
            ..one
        };
        let instead = message(transactions.into_iter().map(instead).collect());
        instead.write(self.encoding).ok().map(Bytes::from)
    }
}

/// A session is over, and why.
pub(super) fn disconnect(status: Status) -> Primitive {
    let result = status.into();
    Primitive::Disconnect(Box::new(Disconnect { result }))
}

/// The answer to a logout: 1.1 is told that it is disconnected.
pub(super) fn logged_out(version: Version) -> Primitive {
    match version {
        Version::V1_1 => disconnect(Status::ok()),
        _ => Primitive::status(Status::ok()),
    }
}

/// A status that refuses something.
pub(super) fn refusal(code: Code, why: &str) -> Primitive {
    Primitive::status(Status::new(code).because(why))
}

/// What is said if too much is under way.
pub(super) fn busy() -> Status {
    Status::new(Code::UNAVAILABLE).because("Too much of the session is under way.")
}

/// What is said of a session that is not known.
pub fn not_logged_in() -> Status {
    let why = "There is no such session; log in.";
    Status::new(Code::INVALID_SESSION).because(why)
}

/// Whether a request would be known again.
pub(super) fn is_told_apart(one: &Transaction) -> bool {
    let only_looks = matches!(one.primitive, Primitive::Polling(_));
    one.mode == Mode::Request && one.id.is_some() && !only_looks
}
