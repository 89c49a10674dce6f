//! Who may see a user's presence, and which attributes of it (WVFF, 5.3; wire profile, 11.7, 11.8).
//!
//! [`Authority`] is the decision, a value without state. What it decides on is kept where it belongs:
//! attribute lists of contact lists and the default one with these ([`super::contact_list`]), what
//! concerns one other user with what there is between them ([`super::relation`]).

mod attribute_lists;
mod authority;
mod decisions;

pub(super) use crate::element::AttributeSet;
pub(super) use attribute_lists::AttributeLists;
pub(super) use authority::Authority;
pub(super) use decisions::Decisions;
