//! A scripted phone: it speaks the Client-Server Protocol over HTTP, in any version and encoding.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use md5::Digest as _;
use wvgate::csp::primitive::content::{Data, Info};
use wvgate::csp::primitive::digest::Schemas;
use wvgate::csp::primitive::message::{MessageDelivered, SendMessageRequest};
use wvgate::csp::primitive::session::{LoginRequest, LoginResponse, LogoutRequest, PollingRequest};
use wvgate::csp::{Body, Encoding, Message, Mode, Primitive, Session, Transaction, Version};
use wvgate::imps::common::{ClientId, MessageInfo, Recipient, Sender, User};
use wvgate::imps::xml::Limits;
use wvgate::imps::{Address, Status};

use crate::cli_node::PATIENCE;

/// What came back by HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A phone of a user.
pub(crate) struct Phone {
    pub(crate) address: String,
    pub(crate) user: String,
    pub(crate) client: String,
    pub(crate) version: Version,
    pub(crate) encoding: Encoding,
    pub(crate) session: Option<String>,
    /// The connection is kept; else there is one for each POST, which begins with
    /// `Expect: 100-continue`.
    pub(crate) keeps: bool,
    /// Fields of HTTP that a proxy adds, each with the end of its line.
    pub(crate) proxied: String,
    /// From where it comes; absent: from where the system says.
    pub(crate) from: Option<IpAddr>,
    connection: Option<TcpStream>,
    next: u32,
}

impl Phone {
    pub(crate) fn new(address: &str, user: &str, version: Version, encoding: Encoding) -> Self {
        Self {
            address: address.to_owned(),
            user: user.to_owned(),
            client: format!("phone of {user}"),
            version,
            encoding,
            session: None,
            keeps: true,
            proxied: String::new(),
            from: None,
            connection: None,
            next: 0,
        }
    }

    pub(crate) fn content_type(&self) -> &'static str {
        match (self.version, self.encoding) {
            (Version::V1_3, Encoding::Xml) => "application/vnd.wv.csp+xml",
            (Version::V1_3, Encoding::Wbxml) => "application/vnd.wv.csp+wbxml",
            (_, Encoding::Xml) => "application/vnd.wv.csp.xml",
            (_, Encoding::Wbxml) => "application/vnd.wv.csp.wbxml",
        }
    }

    fn connect(&self) -> TcpStream {
        let Some(from) = self.from else {
            return TcpStream::connect(&self.address).unwrap();
        };
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_io().build().unwrap();
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind((from, 0).into()).unwrap();
            let stream = socket.connect(self.address.parse().unwrap()).await.unwrap();
            stream.into_std().unwrap()
        });
        stream.set_nonblocking(false).unwrap();
        stream
    }

    /// Posts bytes as they are.
    pub(crate) fn post_raw(&mut self, content_type: &str, body: &[u8]) -> Answer {
        let mut stream = match self.connection.take().filter(|_| self.keeps) {
            Some(stream) => stream,
            None => {
                let stream = self.connect();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream
            }
        };
        let expect = if self.keeps {
            ""
        } else {
            "Expect: 100-continue\r\nConnection: close\r\n"
        };
        let head = format!(
            "POST / HTTP/1.1\r\nHost: wv\r\nContent-Type: {content_type}\r\n{}{expect}Content-Length: {}\r\n\r\n",
            self.proxied,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        if !self.keeps {
            let (head, rest) = read_head(&mut stream);
            assert!(head.starts_with("HTTP/1.1 100"), "{head}");
            assert!(rest.is_empty());
        }
        stream.write_all(body).unwrap();
        let (head, mut body) = read_head(&mut stream);
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length:").nth(1).unwrap();
        let length: usize = length.split("\r\n").next().unwrap().trim().parse().unwrap();
        let read = body.len();
        body.resize(length, 0);
        stream.read_exact(&mut body[read..]).unwrap();
        if !lower.contains("connection: close") {
            self.connection = Some(stream);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body }
    }

    /// The bytes of a message with these transactions.
    pub(crate) fn written(&self, transactions: Vec<Transaction>) -> Vec<u8> {
        let message = Message {
            version: self.version,
            body: Body::Session(Session::new(self.session.clone(), transactions)),
        };
        message.write(self.encoding).unwrap()
    }

    /// What a message is answered; nothing if there is nothing.
    pub(crate) fn post_bytes(&mut self, body: &[u8]) -> Option<Session> {
        let content_type = self.content_type();
        let answer = self.post_raw(content_type, body);
        assert_eq!(answer.status, 200, "{}", answer.head);
        if answer.body.is_empty() {
            return None;
        }
        let expected = format!("content-type: {content_type}\r\n");
        assert!(
            answer.head.to_ascii_lowercase().contains(&expected),
            "{}",
            answer.head
        );
        let message = Message::read(&answer.body, self.encoding, &Limits::STANDARD).unwrap();
        assert_eq!(message.version, self.version);
        match message.body {
            Body::Session(session) => Some(session),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn post(&mut self, transactions: Vec<Transaction>) -> Option<Session> {
        let body = self.written(transactions);
        self.post_bytes(&body)
    }

    /// The id of the next transaction.
    pub(crate) fn transaction(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    /// Asks, and takes the answer.
    pub(crate) fn ask(&mut self, request: Primitive) -> Primitive {
        let id = self.transaction();
        let request = Transaction::new(Mode::Request, id.clone(), request);
        let answer = self.post(vec![request]).expect("an answer to a request");
        assert_eq!(answer.id, self.session);
        let first = answer.transactions.into_iter().next().unwrap();
        assert_eq!((first.mode, first.id), (Mode::Response, Some(id)));
        first.primitive
    }

    /// Looks whether something waits.
    pub(crate) fn poll(&mut self) -> Option<Transaction> {
        let poll = Transaction {
            mode: Mode::Request,
            id: None,
            segment: None,
            primitive: Primitive::Polling(Box::new(PollingRequest {})),
        };
        let answer = self.post(vec![poll])?;
        answer.transactions.into_iter().next()
    }

    /// Polls until something comes.
    pub(crate) fn wait(&mut self) -> Transaction {
        for _ in 0..PATIENCE.as_millis() / 50 {
            if let Some(told) = self.poll() {
                return told;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("nothing came for {}", self.user);
    }

    /// Waits for a message and does not say that it has it.
    pub(crate) fn wait_message(&mut self) -> (String, Info, String) {
        loop {
            let told = self.wait();
            let id = told.id.clone().unwrap();
            match told.primitive {
                Primitive::NewMessage(message) => {
                    let content = message.content.as_ref().unwrap();
                    let text = String::from_utf8_lossy(&content.0).into_owned();
                    return (id, message.info, text);
                }
                _ => {
                    self.respond(&id, Primitive::status(Status::ok()));
                }
            }
        }
    }

    /// Answers something that the phone was told.
    pub(crate) fn respond(&mut self, id: &str, answer: Primitive) -> Option<Session> {
        self.post(vec![Transaction::new(Mode::Response, id, answer)])
    }

    /// Says that it has a message.
    pub(crate) fn delivered(&mut self, id: &str, message: &str) {
        let message = message.to_owned();
        let delivered = Primitive::MessageDelivered(Box::new(MessageDelivered { message }));
        let _ = self.respond(id, delivered);
    }

    pub(crate) fn login_request(&self) -> LoginRequest {
        LoginRequest {
            user: Address::new(&format!("wv:{}@village.test", self.user)),
            client: Some(ClientId {
                url: self.client.clone(),
                application: None,
            }),
            application: None,
            password: None,
            digest: None,
            schemas: Schemas::default(),
            session: None,
            time_to_live: Some(7205),
            cookie: Some(format!("cookie-{}", self.user)),
            responses: None,
            functions: None,
            capabilities: None,
        }
    }

    pub(crate) fn try_login(&mut self, request: LoginRequest) -> LoginResponse {
        match self.ask(Primitive::LoginRequest(Box::new(request))) {
            Primitive::LoginResponse(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }

    /// Logs in with the password.
    pub(crate) fn log_in(&mut self, password: &str) {
        let request = LoginRequest {
            password: Some(password.to_owned()),
            ..self.login_request()
        };
        let answer = self.try_login(request);
        assert_eq!(code(&answer), 200, "{answer:?}");
        self.session = answer.session;
        assert!(self.session.is_some());
    }

    /// The first half of a login with a digest: the nonce.
    pub(crate) fn challenge(&mut self) -> String {
        let request = LoginRequest {
            schemas: Schemas(vec!["PWD".to_owned(), "SHA".to_owned(), "MD5".to_owned()]),
            ..self.login_request()
        };
        let challenge = self.try_login(request);
        let expected = if self.version == Version::V1_3 {
            401
        } else {
            200
        };
        assert_eq!(code(&challenge), expected, "{challenge:?}");
        assert_eq!(challenge.schema.as_deref(), Some("MD5"));
        assert_eq!(challenge.session, None);
        challenge.nonce.unwrap()
    }

    /// The second half, with this digest.
    pub(crate) fn answer_challenge(&mut self, nonce: &str, password: &str) -> LoginResponse {
        let hash = md5::Md5::digest(format!("{nonce}{password}"));
        let digest = base64::engine::general_purpose::STANDARD.encode(hash);
        let request = LoginRequest {
            digest: Some(digest),
            ..self.login_request()
        };
        self.try_login(request)
    }

    /// Logs in with a digest.
    pub(crate) fn log_in_by_digest(&mut self, password: &str) {
        let nonce = self.challenge();
        let answer = self.answer_challenge(&nonce, password);
        assert_eq!(code(&answer), 200, "{answer:?}");
        self.session = answer.session;
    }

    /// Logs out.
    pub(crate) fn log_out(&mut self) {
        let answer = self.ask(Primitive::LogoutRequest(Box::new(LogoutRequest {})));
        let result = match (self.version, &answer) {
            (Version::V1_1, Primitive::Disconnect(over)) => &over.result,
            (_, Primitive::Status(status)) => &status.result,
            other => panic!("{other:?}"),
        };
        assert_eq!(result.status.code.0, 200);
        self.session = None;
    }

    /// Sends a text, and says with which code that was answered.
    pub(crate) fn send(&mut self, to: &str, text: &str) -> u16 {
        self.send_content(to, "text/plain", text)
    }

    /// Sends a content of some type, which can stand in XML as it is.
    pub(crate) fn send_content(&mut self, to: &str, content_type: &str, text: &str) -> u16 {
        let info = MessageInfo {
            message_id: None,
            uri: None,
            content_type: Some(content_type.to_owned()),
            content_name: None,
            content_size: u64::try_from(text.len()).ok(),
            validity: None,
            recipients: vec![Recipient::User(User::new(Address::new(to)))],
            recipient_display: None,
            sender: Some(Sender {
                user: Some(User::new(Address::new(&format!(
                    "wv:{}@village.test",
                    self.user
                )))),
                group: None,
                screen_name: None,
                display: None,
            }),
            date_time: None,
        };
        let request = SendMessageRequest {
            wants_report: false,
            info: info.into(),
            content: Some(Data(text.as_bytes().to_vec())),
        };
        match self.ask(Primitive::SendMessageRequest(Box::new(request))) {
            Primitive::SendMessageResponse(answer) => answer.result.status.code.0,
            Primitive::Status(answer) => answer.result.status.code.0,
            other => panic!("{other:?}"),
        }
    }
}

/// The code of an answer to a login.
pub(crate) fn code(answer: &LoginResponse) -> u16 {
    answer.result.status.code.0
}

fn read_head(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the connection ended within a head");
        bytes.extend_from_slice(&chunk[..count]);
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(at + 4);
            return (String::from_utf8(bytes).unwrap(), rest);
        }
    }
}
