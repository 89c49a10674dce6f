//! Login, logout, keep-alive, polling, and what a session is told.

use super::capability::Capabilities;
use super::digest::Schemas;
use super::service::Functions;
use super::system::{SystemMessageResponse, Verdict};
use crate::csp::typed::element;
use crate::imps::Address;
use crate::imps::common::ClientId;
use crate::imps::xml::element::Empty;

element! {
    /// The general answer.
    StatusMessage {
        one "Result" result: Verdict,
        opt "ClientID" client: ClientId,
    }

    /// Asks for what waits. Answered by that, or by nothing.
    PollingRequest {}

    /// Begins a session: with a password at once, or without one and then with a digest.
    LoginRequest {
        one "UserID" user: Address,
        opt "ClientID" client: ClientId,
        opt "ApplicationID" application: String,
        opt "Password" password: String,
        opt "DigestBytes" digest: String,
        part schemas: Schemas,
        opt "SessionID" session: String,
        opt "TimeToLive" time_to_live: u32,
        opt "SessionCookie" cookie: String,
        list "SystemMessageResponseList" / "SystemMessageResponse" responses: SystemMessageResponse,
        opt "Functions" functions: Functions,
        opt "CapabilityList" capabilities: Capabilities,
    }

    /// The session, or the challenge for the second step.
    LoginResponse {
        opt "UserID" user: Address,
        opt "ClientID" client: ClientId,
        opt "Password" password: String,
        one "Result" result: Verdict,
        opt "Nonce" nonce: String,
        opt "DigestSchema" schema: String,
        opt "SessionID" session: String,
        opt "KeepAliveTime" keep_alive: u32,
        opt "CapabilityRequest" wants_capabilities: bool,
        opt "Functions" functions: Functions,
        opt "AgreedCapabilityList" capabilities: Capabilities,
    }

    /// Ends the session.
    LogoutRequest {}

    /// The server has ended the session.
    Disconnect {
        one "Result" result: Verdict,
    }

    /// Keeps the session.
    KeepAliveRequest {
        opt "TimeToLive" time_to_live: u32,
    }

    /// For how long the session is kept.
    KeepAliveResponse {
        one "Result" result: Verdict,
        opt "KeepAliveTime" keep_alive: u32,
    }

    /// Asks for a part of a large message again.
    GetSegmentRequest {
        opt "SegmentID" segment: SegmentId,
    }

    /// A part of a large message.
    GetSegmentResponse {
        opt "SegmentContent" content: Empty,
    }

    /// The rest of a large message is not wanted.
    DropSegmentRequest {
        opt "SegmentID" segment: SegmentId,
    }

    /// A part of a large message: of which transaction, and which one.
    SegmentId {
        opt "TransactionID" transaction: String,
        opt "SegmentReference" reference: u32,
    }

    /// How many parts there are, and which one this is.
    SegmentInfo {
        opt "SegmentCount" count: u32,
        opt "SegmentID" segment: SegmentId,
    }
}
