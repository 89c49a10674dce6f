//! Whether a content can be shown to a user at all.

use std::collections::BTreeMap;

use crate::imps::status::Code;

use super::client::ClientKey;
use super::feed::Feed;
use super::inbox::Letter;

/// The content is longer than the client takes.
const TOO_LONG: Code = Code(432);

/// Why a message is refused to its sender: no client of the user can show its content, not even if
/// it fetches it. For who has no client now it waits.
pub(super) fn refusal(clients: &BTreeMap<ClientKey, Box<Feed>>, letter: &Letter) -> Option<Code> {
    let mut code = None;
    for feed in clients.values().filter(|feed| feed.takes_everything()) {
        if feed.shows(letter, letter.size) {
            return None;
        }
        // Who takes the type says more than who does not.
        if feed.shows(letter, 0) {
            code = Some(TOO_LONG);
        }
        code = code.or(Some(Code::MEDIA_TYPE));
    }
    code
}
