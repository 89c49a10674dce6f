//! Contact lists.

use crate::imps::Address;

use super::terms::Terms;

/// A contact list as a client names it: its whole address, or the name alone.
pub(super) fn address(written: &Address, terms: &Terms) -> Address {
    let user = &terms.user;
    match written.resource_part() {
        Some(_) => written.clone().or_domain(user.domain()),
        None => Address::resource_of(user.user_part(), written.bare(), user.domain()),
    }
}
