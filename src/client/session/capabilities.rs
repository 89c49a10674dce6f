//! What is agreed of a client's capabilities.

use crate::client::settings::Settings;
use crate::client::wake::Method;
use crate::csp::Version;
use crate::csp::primitive::capability::Capabilities;
use crate::element::seconds;

use super::record::Record;

/// Transactions in one message that are agreed at most; our choice.
pub(super) const MAX_TRANSACTIONS: u32 = 10;
/// What a client that names none is taken to have.
const CLIENT_TYPE: &str = "OTHER";
/// Bytes that a client which says nothing is taken to read; our choice.
const LENGTH: u32 = 64 * 1024;

/// Nothing agreed.
fn none() -> Capabilities {
    Capabilities {
        client_type: None,
        delivery: None,
        content_types: Vec::new(),
        any_content: None,
        charsets: Vec::new(),
        pull_length: None,
        push_length: None,
        content_length: None,
        text_length: None,
        encodings: Vec::new(),
        bearers: Vec::new(),
        offline_bearers: Vec::new(),
        transactions: None,
        transactions_per_message: None,
        parser_size: None,
        cir_methods: Vec::new(),
        udp_port: None,
        udp_address: None,
        tcp_address: None,
        tcp_port: None,
        cir_url: None,
        cir_sms: None,
        poll_min: None,
        language: None,
        online_handling: None,
        offline_handling: None,
        priority: None,
        session_limit: None,
    }
}

/// What is agreed of these, in the form of a version. Ways to wake and numbers stand in the record
/// already.
pub(super) fn agreed(
    asked: &Capabilities,
    version: Version,
    record: &Record,
    settings: &Settings,
) -> Capabilities {
    let methods = record.wake.iter();
    let tcp = settings
        .offer
        .tcp
        .as_ref()
        .filter(|_| record.is_woken_by(Method::Tcp));
    let url = settings.offer.http.as_ref().zip(record.wake_token.as_ref());
    let url = url.filter(|_| record.is_woken_by(Method::Http) && version > Version::V1_1);
    let is_http = |bearer: &&String| bearer.trim().eq_ignore_ascii_case("HTTP");
    let both = Capabilities {
        bearers: asked.bearers.iter().filter(is_http).cloned().collect(),
        cir_methods: methods.map(|method| method.as_str().to_owned()).collect(),
        tcp_address: tcp.map(|(host, _)| host.clone()),
        tcp_port: tcp.map(|(_, port)| *port),
        cir_url: url.map(|(base, token)| format!("{base}wake/{token}")),
        poll_min: Some(seconds(settings.poll_interval).max(1)),
        ..none()
    };
    let transactions = u32::try_from(record.transactions).unwrap_or(1);
    match version {
        // The client's own list, as far as there is something of it.
        Version::V1_1 => Capabilities {
            client_type: Some(asked.client_type.clone().unwrap_or(CLIENT_TYPE.to_owned())),
            delivery: Some(asked.delivery.clone().unwrap_or("P".to_owned())),
            content_types: asked.content_types.clone(),
            any_content: asked.any_content,
            charsets: asked.charsets.clone(),
            encodings: asked.encodings.clone(),
            content_length: Some(asked.content_length.unwrap_or(LENGTH)),
            transactions: Some(transactions),
            parser_size: Some(asked.parser_size.unwrap_or(LENGTH)),
            udp_port: asked.udp_port.filter(|_| record.is_woken_by(Method::Udp)),
            language: asked.language.clone(),
            ..both
        },
        Version::V1_2 => both,
        Version::V1_3 => Capabilities {
            content_types: asked.content_types.clone(),
            any_content: asked.any_content,
            pull_length: asked.pull_length,
            push_length: asked.push_length,
            text_length: asked.text_length,
            encodings: asked.encodings.clone(),
            transactions: Some(transactions),
            transactions_per_message: asked.transactions_per_message.map(|_| transactions),
            session_limit: u32::try_from(settings.max_sessions_per_user).ok(),
            ..both
        },
    }
}
