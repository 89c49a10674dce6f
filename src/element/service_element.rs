//! A service element.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt::Debug;

use super::{Act, Edge, Element, Input, Skew, Time};

/// A service element as the joint drives it: `take` or `timeout`, then `next_act` until there is
/// none. As [`Any`] it can be looked at and administered by those who know what it is.
pub trait ServiceElement: Any + Debug + Send {
    /// The name by which routes lead to it.
    fn name(&self) -> Element;

    /// What it serves: leaves of the service tree (wire profile, 11.2).
    fn serves(&self) -> &'static [&'static str];

    /// Whether it takes what comes in there.
    fn is_at(&self, edge: Edge) -> bool;

    /// Keys of its records start with this, e.g. `home/`. No two elements share one.
    fn prefix(&self) -> &'static str;

    /// Takes back a record written before a restart. Called for each record whose
    /// key starts with [`ServiceElement::prefix`], in key order, before anything else.
    ///
    /// # Errors
    /// The record cannot be read; it is set aside.
    fn restore(&mut self, key: &str, value: &[u8]) -> Result<(), String>;

    /// Looks at what stands in a record that has been taken back, and is read only when it is
    /// needed.
    ///
    /// # Errors
    /// What of it cannot be read then.
    fn look_into(&self, _key: &str, _value: &[u8]) -> Result<(), String> {
        Ok(())
    }

    /// Takes an input. What follows from it is asked for by [`ServiceElement::next_act`].
    fn take(&mut self, input: Input, now: Time);

    /// Time has come to at least what [`ServiceElement::next_timeout`] said.
    fn timeout(&mut self, now: Time);

    /// When [`ServiceElement::timeout`] wants to be called.
    fn next_timeout(&self) -> Option<Time>;

    /// The next thing it wants done, in order.
    fn next_act(&mut self) -> Option<Act>;

    /// Says how the wall clock stands, for dates that others see.
    fn set_skew(&mut self, skew: Skew);

    /// Domains of other users with whom it has to do beyond single requests, and must hear when
    /// the way to them is lost or made anew.
    fn concerned(&self) -> BTreeSet<String>;

    /// Messages accepted that have not come to their end here.
    fn messages_open(&self) -> u64;
}
