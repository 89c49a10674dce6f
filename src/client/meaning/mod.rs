//! What clients mean: their requests as requests of their user, and what comes for the user in the
//! words of their version.
//!
//! ```text
//!   csp::Primitive ──ask──▶ Asked::User(exchange, Primitive) ──▶ the user's domain
//!   csp::Primitive ◀─hear── exchange, Primitive              ◀── its answer
//!   csp::Primitive ◀─tell── Primitive                        ◀── what comes for the user
//! ```
//!
//! Nothing here knows sessions, connections or the time. What a session has agreed is [`Terms`];
//! its [`Interpreter`] takes what the client says.
//!
//! | file | what |
//! |---|---|
//! | `terms`, `capacity`, `services` | what a session has agreed |
//! | `client_kind`, `identity`, `switches` | what is done otherwise for which clients |
//! | `exchange` | a request under way |
//! | `facts` | what each primitive of a client is |
//! | `requests`, `told` | which file says it |
//! | `message`, `presence`, `authorization`, `contact_list`, `access`, `group`, `group_admin`, `invitation`, `directory` | the primitives, in both directions |
//! | `content` | contents, and what a client can take |

mod access;
mod answers;
mod authorization;
mod capacity;
mod client_kind;
mod contact_list;
mod content;
mod directory;
mod exchange;
mod facts;
mod group;
mod group_admin;
mod identity;
mod interpreter;
mod invitation;
mod memory;
mod message;
mod presence;
mod requests;
mod services;
mod switches;
mod terms;
#[cfg(test)]
mod tests;
mod told;

pub use capacity::Capacity;
pub use client_kind::{ClientKind, KindFault};
pub use exchange::{Asked, Exchange, Heard};
pub use identity::Identity;
pub use interpreter::Interpreter;
pub use services::Services;
pub use switches::Switches;
pub use terms::Terms;
