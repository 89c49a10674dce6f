//! Clients whose names cannot be resources.

use std::collections::BTreeMap;

use crate::imps::common::Recipient;
use crate::imps::primitive::message::SendMessageRequest;
use crate::translate::Translator;

/// Resources made of clients that cannot be one, with the client.
#[derive(Debug, Default)]
pub(super) struct Clients(BTreeMap<String, String>);

impl Clients {
    /// Notes the client a message comes from, if it appears under a digest. At most `most` are kept.
    pub(super) fn note(
        &mut self,
        request: &SendMessageRequest,
        translator: &Translator,
        most: usize,
    ) {
        let sender = request.info.sender.as_ref().and_then(|s| s.user.as_ref());
        let Some(client) = sender.and_then(|user| user.client.as_ref()) else {
            return;
        };
        let Some(resource) = translator.resource(client) else {
            return;
        };
        let is_digest = resource.as_str() != client.url && client.application.is_none();
        if is_digest && self.0.len() < most {
            self.0.insert(resource.to_string(), client.url.clone());
        }
    }

    /// A resource made of a client is that client again.
    pub(super) fn restore(&self, recipients: &mut [Recipient]) {
        for recipient in recipients {
            if let Recipient::User(user) = recipient
                && let Some(client) = &mut user.client
                && let Some(url) = self.0.get(&client.url)
            {
                client.url.clone_from(url);
            }
        }
    }
}
