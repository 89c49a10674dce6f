//! Session establishment and maintenance (wire profile, 6.2, 6.8, 11.1).

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{MetaInfo, decode_base64, encode_base64};
use crate::imps::xml::element::element;
use crate::imps::xml::{Content, DecodeError, Node, Writer};

element! {
    /// Steps 1 and 2: each side hands the other a token, which proves by coming
    /// back digested that it reached the address DNS or configuration names.
    SendSecretToken {
        /// `wv:@domain` of the sender.
        attr one "serviceID" service: Address,
        /// `WV-SSP`; the deployed server does not read it.
        attr opt "protocol" protocol: String,
        /// `1.1`, `1.2` or `1.3` (misspelt by the deployed server, quirk A-1).
        attr opt "protocolVersion" | "procotolVersion" version: String,
        /// What the other side is to digest.
        child one "SecretToken" token: Token,
    }

    /// Steps 3 and 4: the digest over the other side's token.
    LoginRequest {
        /// `wv:@domain` of the sender.
        attr one "serviceID" service: Address,
        /// Seconds of idleness after which the sender may forget the session.
        attr opt "timeToLive" time_to_live: u32,
        /// The digest over the other side's token and the password.
        child one "PasswordDigest" digest: Digest,
    }

    /// Steps 5 and 6: the session id each side issues, or why not.
    LoginResponse {
        /// Issued by the sender; present if the status is a success.
        attr opt "sessionID" session: String,
        /// Time to live of the session, in seconds.
        attr opt "timeToLive" time_to_live: u32,
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// Where to go instead (6.8).
        list of "RedirectList" / "RedirectAddress" redirects: RedirectAddress,
    }

    /// Another access point of the same domain (6.8).
    RedirectAddress {
        /// URL of the access point.
        attr one "url" url: String,
        /// Lower is tried first.
        attr opt "priority" priority: u32,
        /// Seconds the address may be remembered.
        attr opt "timeToLive" time_to_live: u32,
    }

    /// Keeps an idle session alive; may ask for a new time to live.
    KeepAliveRequest {
        /// The time to live that is wanted, in seconds.
        attr opt "timeToLive" time_to_live: u32,
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// The time to live now in force.
    KeepAliveResponse {
        /// Time to live of the session, in seconds.
        attr opt "timeToLive" time_to_live: u32,
        /// 200, or 604 the session is unknown, or 605 the time to live is not accepted.
        child one "Status" status: Status,
    }

    /// Orderly end of a session.
    LogoutRequest {
        /// Why the session ends, for people.
        attr opt "reason" reason: String,
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// One-sided end of a session.
    Disconnect {
        /// The sending server.
        child opt "MetaInfo" meta: MetaInfo,
        /// 600, 601, 503 or 403.
        child one "Status" status: Status,
        /// Where to go instead.
        list of "RedirectList" / "RedirectAddress" redirects: RedirectAddress,
    }
}

/// A secret token as its canonical bytes (6.3): the trimmed text, or what it
/// decodes to if any `encoding` is given.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub Vec<u8>);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Content for Token {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        let invalid = DecodeError::Invalid {
            element: "SecretToken",
            what: "content",
        };
        let bytes = if node.attribute(&["encoding"]).is_some() {
            decode_base64(&node.text).ok_or(invalid.clone())?
        } else {
            node.text.as_bytes().to_vec()
        };
        if bytes.is_empty() {
            Err(invalid)
        } else {
            Ok(Self(bytes))
        }
    }

    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |out| match std::str::from_utf8(&self.0) {
            Ok(text) if text.bytes().all(|b| b.is_ascii_graphic()) => out.text(text),
            _ => {
                out.attribute(name, "encoding", "base64");
                out.text(&encode_base64(&self.0));
            }
        });
    }
}

/// The 16 bytes of an MD5 digest; anything else a peer sends is kept and can
/// only fail the comparison.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest(pub Vec<u8>);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Content for Digest {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        if node.attribute(&["encoding"]).is_some() {
            let invalid = DecodeError::Invalid {
                element: "PasswordDigest",
                what: "content",
            };
            return decode_base64(&node.text).map(Self).ok_or(invalid);
        }
        Ok(Self(node.text.as_bytes().to_vec()))
    }

    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |out| {
            out.attribute(name, "encoding", "base64");
            out.text(&encode_base64(&self.0));
        });
    }
}
