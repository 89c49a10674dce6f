//! A phone of the benchmark: it speaks CSP 1.2 over one connection, in either encoding.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::super::super::Failure;
use super::domain::{Domain, NAME, PASSWORD, user};
use crate::csp::primitive::content::Data;
use crate::csp::primitive::digest::Schemas;
use crate::csp::primitive::message::{MessageDelivered, SendMessageRequest};
use crate::csp::primitive::session::{LoginRequest, LoginResponse, LogoutRequest, PollingRequest};
use crate::csp::{Body, Encoding, Message, Mode, Primitive, Session, Transaction, Version};
use crate::imps::Address;
use crate::imps::common::{ClientId, MessageInfo, Recipient, Sender, User};
use crate::imps::xml::Limits;

/// A phone of a user.
pub(super) struct Phone {
    /// That of its user.
    pub(super) number: usize,
    port: u16,
    pub(super) encoding: Encoding,
    /// Kept while it talks; an idle phone has none.
    connection: Option<TcpStream>,
    session: Option<String>,
    next: u64,
}

fn failed(what: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("a phone: {what}"))
}

fn wrong(what: &str, answer: &Primitive) -> Failure {
    failed(format!("{what} was answered {answer:?}"))
}

impl Phone {
    pub(super) fn new(domain: &Domain, number: usize) -> Self {
        Self {
            number,
            port: domain.port,
            encoding: Encoding::Wbxml,
            connection: None,
            session: None,
            next: 0,
        }
    }

    fn address(&self) -> Address {
        address(self.number)
    }

    /// Goes on without a connection.
    pub(super) fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Posts one transaction; what comes back.
    async fn post(&mut self, transaction: Transaction) -> Result<Option<Transaction>, Failure> {
        let session = Session::new(self.session.clone(), vec![transaction]);
        let message = Message {
            version: Version::V1_2,
            body: Body::Session(session),
        };
        let body = message.write(self.encoding).map_err(failed)?;
        let content_type = match self.encoding {
            Encoding::Xml => "application/vnd.wv.csp.xml",
            Encoding::Wbxml => "application/vnd.wv.csp.wbxml",
        };
        let mut request = format!(
            "POST / HTTP/1.1\r\nHost: wv\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend(body);
        let mut stream = match self.connection.take() {
            Some(stream) => stream,
            None => {
                let to = (Ipv4Addr::LOCALHOST, self.port);
                TcpStream::connect(to).await.map_err(failed)?
            }
        };
        stream.write_all(&request).await.map_err(failed)?;
        let body = read_answer(&mut stream).await?;
        self.connection = Some(stream);
        if body.is_empty() {
            return Ok(None);
        }
        let answer = Message::read(&body, self.encoding, &Limits::STANDARD).map_err(failed)?;
        match answer.body {
            Body::Session(session) => Ok(session.transactions.into_iter().next()),
            _ => Err(failed("no session in an answer")),
        }
    }

    /// Asks, and takes the answer.
    async fn ask(&mut self, request: Primitive) -> Result<Primitive, Failure> {
        self.next += 1;
        let id = self.next.to_string();
        let answer = self
            .post(Transaction::new(Mode::Request, id, request))
            .await?;
        let answer = answer.ok_or_else(|| failed("no answer to a request"))?;
        Ok(answer.primitive)
    }

    async fn try_login(&mut self, request: LoginRequest) -> Result<LoginResponse, Failure> {
        match self.ask(Primitive::LoginRequest(Box::new(request))).await? {
            Primitive::LoginResponse(answer) => Ok(*answer),
            other => Err(wrong("a login", &other)),
        }
    }

    fn login(&self) -> LoginRequest {
        LoginRequest {
            user: self.address(),
            client: Some(ClientId {
                url: "bench".to_owned(),
                application: None,
            }),
            application: None,
            password: None,
            digest: None,
            schemas: Schemas::default(),
            session: None,
            time_to_live: Some(7200),
            cookie: Some("bench".to_owned()),
            responses: None,
            functions: None,
            capabilities: None,
        }
    }

    fn entered(&mut self, answer: LoginResponse) -> Result<(), Failure> {
        let code = answer.result.status.code.0;
        self.session = answer.session;
        match self.session {
            Some(_) => Ok(()),
            None => Err(failed(format!("a login was answered {code}"))),
        }
    }

    /// Logs in with the password as it is.
    pub(super) async fn log_in(&mut self) -> Result<(), Failure> {
        let request = LoginRequest {
            password: Some(PASSWORD.to_owned()),
            ..self.login()
        };
        let answer = self.try_login(request).await?;
        self.entered(answer)
    }

    /// Logs in with a digest of it.
    pub(super) async fn log_in_by_digest(&mut self) -> Result<(), Failure> {
        let request = LoginRequest {
            schemas: Schemas(vec!["MD5".to_owned()]),
            ..self.login()
        };
        let challenge = self.try_login(request).await?;
        let nonce = challenge.nonce.ok_or_else(|| failed("no challenge"))?;
        let hash = Md5::new().chain_update(nonce).chain_update(PASSWORD);
        let request = LoginRequest {
            digest: Some(BASE64.encode(hash.finalize())),
            ..self.login()
        };
        let answer = self.try_login(request).await?;
        self.entered(answer)?;
        self.describe().await
    }

    /// Says what it is and how it is woken: by the channel over TCP.
    async fn describe(&mut self) -> Result<(), Failure> {
        let described = Message::read(CAPABILITIES, Encoding::Xml, &Limits::STANDARD);
        let Body::Session(session) = described.map_err(failed)?.body else {
            return Err(failed("no session"));
        };
        let described = session.transactions.into_iter().next();
        let described = described.ok_or_else(|| failed("no request"))?;
        match self.ask(described.primitive).await? {
            Primitive::ClientCapabilityResponse(_) => Ok(()),
            other => Err(wrong("its capabilities", &other)),
        }
    }

    pub(super) async fn log_out(&mut self) -> Result<(), Failure> {
        let request = Primitive::LogoutRequest(Box::new(LogoutRequest {}));
        let answer = self.ask(request).await?;
        self.session = None;
        match &answer {
            Primitive::Status(status) if status.result.status.code.is_success() => Ok(()),
            other => Err(wrong("a logout", other)),
        }
    }

    /// Opens the channel on which it is woken.
    pub(super) async fn channel(&self, port: u16) -> Result<Channel, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
        let mut channel = Channel(BufReader::with_capacity(64, stream.map_err(failed)?));
        let hello = format!("HELO {}\r\n", self.session.as_deref().unwrap_or_default());
        let said = channel.0.get_mut().write_all(hello.as_bytes()).await;
        said.map_err(failed)?;
        match channel.line().await?.as_str() {
            "OK" => Ok(channel),
            other => Err(failed(format!("HELO was answered \"{other}\""))),
        }
    }

    /// Sends a text to another phone.
    pub(super) async fn send(&mut self, to: usize, text: &str) -> Result<(), Failure> {
        let info = MessageInfo {
            message_id: None,
            uri: None,
            content_type: Some("text/plain".to_owned()),
            content_name: None,
            content_size: u64::try_from(text.len()).ok(),
            validity: None,
            recipients: vec![Recipient::User(User::new(address(to)))],
            recipient_display: None,
            sender: Some(Sender {
                user: Some(User::new(address(self.number))),
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
        match self
            .ask(Primitive::SendMessageRequest(Box::new(request)))
            .await?
        {
            Primitive::SendMessageResponse(answer) if answer.result.status.code.is_success() => {
                Ok(())
            }
            other => Err(wrong("a message", &other)),
        }
    }

    /// Fetches what waits, and says that it has it; how many messages that were.
    pub(super) async fn fetch(&mut self) -> Result<u64, Failure> {
        let poll = Transaction {
            mode: Mode::Request,
            id: None,
            segment: None,
            primitive: Primitive::Polling(Box::new(PollingRequest {})),
        };
        let mut told = self.post(poll).await?;
        let mut messages = 0;
        while let Some(one) = told {
            let id = one.id.unwrap_or_default();
            let Primitive::NewMessage(new) = one.primitive else {
                return Err(wrong("a poll", &one.primitive));
            };
            messages += 1;
            let message = new.info.message.message_id.unwrap_or_default();
            let delivered = Primitive::MessageDelivered(Box::new(MessageDelivered { message }));
            told = self
                .post(Transaction::new(Mode::Response, id, delivered))
                .await?;
        }
        Ok(messages)
    }
}

/// What each phone is.
const CAPABILITIES: &[u8] =
    b"<WV-CSP-Message xmlns='http://www.openmobilealliance.org/DTD/WV-CSP1.2'><Session><Transaction><TransactionContent>\
      <ClientCapability-Request><CapabilityList><ClientType>MOBILE_PHONE</ClientType>\
      <InitialDeliveryMethod>P</InitialDeliveryMethod><AcceptedContentLength>32767</AcceptedContentLength>\
      <MultiTrans>1</MultiTrans><ParserSize>32767</ParserSize><SupportedCIRMethod>STCP</SupportedCIRMethod>\
      </CapabilityList></ClientCapability-Request></TransactionContent></Transaction></Session></WV-CSP-Message>";

/// The channel on which a phone is woken.
pub(super) struct Channel(BufReader<TcpStream>);

impl Channel {
    /// What the node says next.
    async fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.0.read_line(&mut line).await.map_err(failed)?;
        Ok(line.trim_end().to_owned())
    }

    /// Waits until it is woken.
    pub(super) async fn wake(&mut self) -> Result<(), Failure> {
        let line = self.line().await?;
        if line.starts_with("WVCI ") {
            return Ok(());
        }
        Err(failed(format!("its channel said \"{line}\"")))
    }
}

fn address(number: usize) -> Address {
    Address::user(&user(number), NAME)
}

/// The body of an answer, which must be a 200.
async fn read_answer(stream: &mut TcpStream) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(1024);
    let at = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.map_err(failed)? == 0 {
            return Err(failed("the connection was closed"));
        }
    };
    let mut body = bytes.split_off(at);
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        return Err(failed(head.lines().next().unwrap_or_default()));
    }
    let length = head.split("content-length:").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
    let length: usize = length.ok_or_else(|| failed("an answer has no length"))?;
    while body.len() < length {
        if stream.read_buf(&mut body).await.map_err(failed)? == 0 {
            return Err(failed("the connection was closed"));
        }
    }
    Ok(body)
}
