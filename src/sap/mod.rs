//! The relay SAP: sessions, transactions, routing. Pure: values and a `now` in,
//! effects out.

pub mod element;

pub use element::{
    Act, Degraded, Delivered, Element, Outcome, RequestId, ServiceElement, Time, Token,
};
