//! wvgate: a relay SAP for the Server-Server Protocol (SSP) of OMA IMPS /
//! Wireless Village, a translator between SSP and XMPP, and a home domain.

pub mod gateway;
pub mod sap;
pub mod ssp;
pub mod store;
pub mod translate;
