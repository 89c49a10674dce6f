//! Invitations (WVFF, 8 and 10.2; wire profile, 9.1): to groups, presence, content, messaging.
//!
//! Both sides keep an invitation until its validity is over: the inviter's, so that only who was
//! invited can answer, once; the invitee's, so that each client of theirs is asked until there is an
//! answer. An answer and a withdrawal wait for the user's clients like a report.
//!
//! | file | what |
//! |---|---|
//! | `invitations` | what one user has sent and received |
//! | `book` | that as records, within its bounds |
//! | `inviting` | the inviter: invites, withdraws, hears the answer |
//! | `invited` | the invitee: is asked, answers, hears the withdrawal |
//! | `requests` | which of our users a primitive is for |
//! | `form` | what an invitation must have |

mod book;
mod form;
mod invitations;
mod invited;
mod inviting;
mod requests;

pub(super) use book::Book;
pub(super) use invitations::{Invitation, Invitations};
pub(super) use invited::Invited;
pub(super) use inviting::Inviting;
pub(super) use requests::InvitationRequests;
