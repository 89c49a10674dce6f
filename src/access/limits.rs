//! Bounds on what is read of clients.

use crate::imps::xml::Limits;

/// Elements in one message; a contact list of some thousand entries has so many. Our choice.
const ELEMENTS: usize = 20_000;
/// Transactions in one message; our choice.
const TRANSACTIONS: usize = 16;

/// Of a message of at most so many bytes.
pub(super) fn of(bytes: usize) -> Limits {
    Limits {
        bytes,
        elements: ELEMENTS,
        transactions: TRANSACTIONS,
        ..Limits::STANDARD
    }
}
