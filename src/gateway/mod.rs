//! placeholder
use crate::sap::*;
#[derive(Debug)]
pub struct Gateway;
#[derive(Debug, Clone, Default)]
pub struct GatewaySettings {
    pub auto_subscribed: bool,
    pub strict_receipts: bool,
    pub settle_millis: u64,
    pub default_validity: u64,
}
pub struct Out {
    pub component: String,
    pub stanza: tokio_xmpp::Stanza,
    pub mark: Option<u64>,
}
impl Gateway {
    pub fn new(
        _: GatewaySettings,
        _: std::sync::Arc<crate::translate::Translator>,
        _: u64,
    ) -> Self {
        Self
    }
    pub fn stanza(&mut self, _: &str, _: tokio_xmpp::Stanza, _: Time, _: &mut Vec<Act>) {}
    pub fn link_up(&mut self, _: &str, _: Time, _: &mut Vec<Act>) {}
    pub fn link_down(&mut self, _: &str, _: Time, _: &mut Vec<Act>) {}
    pub fn confirmed(&mut self, _: &str, _: u64, _: Time, _: &mut Vec<Act>) {}
    pub fn peer_up(&mut self, _: &str, _: Time, _: &mut Vec<Act>) {}
    pub fn peer_down(&mut self, _: &str, _: Time, _: &mut Vec<Act>) {}
    pub fn domains(&self) -> Vec<String> {
        vec![]
    }
    pub fn take_stanzas(&mut self) -> Vec<Out> {
        vec![]
    }
}
impl ServiceElement for Gateway {
    const PREFIX: &'static str = "gateway/";
    fn restore(&mut self, _: &str, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn deliver(&mut self, _: Delivered, _: Time, _: &mut Vec<Act>) {}
    fn answer(&mut self, _: Token, _: &crate::ssp::Primitive, _: Time, _: &mut Vec<Act>) {}
    fn timeout(&mut self, _: Time, _: &mut Vec<Act>) {}
    fn next_timeout(&self) -> Option<Time> {
        None
    }
}
