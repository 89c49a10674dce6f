//! What a client can take, and what is agreed.

use crate::csp::element::Element;
use crate::csp::typed::{Content, element};
use crate::csp::version::Version;
use crate::imps::common::ClientId;
use crate::imps::xml::DecodeError;

element! {
    /// What the client can take.
    ClientCapabilityRequest {
        opt "ClientID" client: ClientId,
        opt "CapabilityList" capabilities: Capabilities,
    }

    /// What the server will keep to.
    ClientCapabilityResponse {
        opt "ClientID" client: ClientId,
        opt "AgreedCapabilityList" | "CapabilityList" agreed: Capabilities,
    }

    /// Capabilities, offered or agreed.
    Capabilities {
        opt "ClientType" client_type: String,
        opt "InitialDeliveryMethod" delivery: String,
        many "AcceptedContentType" content_types: AcceptedContentType,
        opt "AnyContent" any_content: bool,
        many "AcceptedCharset" | "PlainTextCharset" charsets: u32,
        opt "AcceptedPullLength" pull_length: u32,
        opt "AcceptedPushLength" push_length: u32,
        opt "AcceptedContentLength" content_length: u32,
        opt "AcceptedTextContentLength" text_length: u32,
        many "AcceptedTransferEncoding" encodings: String,
        many "SupportedBearer" bearers: String,
        many "SupportedOfflineBearer" offline_bearers: String,
        opt "MultiTrans" transactions: u32,
        opt "MultiTransPerMessage" transactions_per_message: u32,
        opt "ParserSize" parser_size: u32,
        many "SupportedCIRMethod" cir_methods: String,
        opt "UDPPort" udp_port: u16,
        opt "UDPAddress" udp_address: String,
        opt "TCPAddress" tcp_address: String,
        opt "TCPPort" tcp_port: u16,
        opt "CIRHTTPAddress" / "URL" | "CIRURL" / "URL" cir_url: String,
        opt "CIRSMSAddress" cir_sms: String,
        opt "ServerPollMin" poll_min: u32,
        opt "DefaultLanguage" language: String,
        opt "OnlineETEMHandling" online_handling: String,
        opt "OfflineETEMHandling" offline_handling: String,
        opt "SessionPriority" priority: u32,
        opt "UserSessionLimit" session_limit: u32,
    }
}

/// A MIME type; from 1.3 on with limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedContentType {
    /// The type, with parameters.
    pub content_type: String,
    /// Most bytes of rich content.
    pub length: Option<u32>,
    /// What is done with content that is longer.
    pub policy: Option<String>,
    /// From how many bytes on.
    pub policy_limit: Option<u32>,
}

impl AcceptedContentType {
    /// A type without limits.
    pub fn new(content_type: impl Into<String>) -> Self {
        Self {
            content_type: content_type.into(),
            length: None,
            policy: None,
            policy_limit: None,
        }
    }
}

impl Content for AcceptedContentType {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let number = |name| element.child(name).map(u32::read).transpose();
        Ok(Self {
            content_type: match element.child("ContentType") {
                Some(child) => String::read(child)?,
                None => String::read(element)?,
            },
            length: number("AcceptedRichContentLength")?,
            policy: element
                .child("ContentPolicy")
                .map(String::read)
                .transpose()?,
            policy_limit: number("ContentPolicyLimit")?,
        })
    }

    fn element<'v>(&'v self, name: &'static str, version: Version) -> Element<'v> {
        if version < Version::V1_3 {
            return self.content_type.element(name, version);
        }
        let mut children = vec![self.content_type.element("ContentType", version)];
        let length = self.length.iter();
        children.extend(length.map(|n| n.element("AcceptedRichContentLength", version)));
        let policy = self.policy.iter();
        children.extend(policy.map(|text| text.element("ContentPolicy", version)));
        let limit = self.policy_limit.iter();
        children.extend(limit.map(|n| n.element("ContentPolicyLimit", version)));
        Element::of(name, children)
    }
}
