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
//! | `terms`, `capacity`, `services`, `switches` | what a session has agreed |
//! | `exchange` | a request under way |
//! | `facts` | what each primitive of a client is |
//! | `requests`, `told` | which file says it |
//! | `message`, `presence`, `contact_list` | the primitives, in both directions |
//! | `content` | contents, and what a client can take |

mod answers;
mod capacity;
mod contact_list;
mod content;
mod exchange;
mod facts;
mod interpreter;
mod memory;
mod message;
mod presence;
mod requests;
mod services;
mod switches;
mod terms;
mod told;

pub use capacity::Capacity;
pub use exchange::{Asked, Exchange, Heard};
pub use interpreter::Interpreter;
pub use services::Services;
pub use switches::Switches;
pub use terms::Terms;
