//! Service discovery, negotiation and agreement (wire profile, 11.2, 11.3).

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::MetaInfo;
use crate::imps::xml::element::element;
use crate::imps::xml::{Content, DecodeError, Node, Writer};

element! {
    /// Asks for everything the peer can offer, itself or by relay.
    GetServiceRequest {
        /// The domain asked about; absent means the peer.
        attr opt "serviceID" service: Address,
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
    }

    /// What is on offer.
    GetServiceResponse {
        /// The domain asked about.
        attr opt "serviceID" service: Address,
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// One per domain answered for.
        child many "ServiceTree" trees: ServiceTree,
        /// Versions of the protocol that are spoken.
        list of "ProtocolList" / "Protocol" protocols: Protocol,
    }

    /// The functions of one domain.
    ServiceTree {
        /// The domain whose functions these are.
        attr one "serviceID" service: Address,
        /// Reached through the answering domain.
        attr opt "relay" relay: bool,
        /// Its functions; absent if they are not told.
        child opt "WVSSPFeat" features: Features,
    }

    /// A protocol version.
    Protocol {
        /// Always `WV-SSP` here.
        attr one "name" name: String,
        /// As `1.3`.
        attr one "version" version: String,
    }

    /// States which functions the requestor wants to use at the peer.
    ServiceRequest {
        /// The agreement to change or renew.
        attr opt "agreementID" agreement: String,
        /// Seconds asked for.
        attr opt "timeToLive" time_to_live: u32,
        /// Ends the agreement.
        attr opt "cancel" cancel: bool,
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
        /// The functions wanted.
        child opt "Functions" functions: Functions,
        /// Home domains for which requests will come.
        list of "Served" / "Domain" served: String,
    }

    /// What the provider agrees to.
    ServiceResponse {
        /// The id of the agreement.
        attr opt "agreementID" agreement: String,
        /// Life of the agreement, in seconds; absent: as asked for.
        attr opt "timeToLive" time_to_live: u32,
        /// 200 all, 201 part, 506 nothing, 403 refused.
        child one "Status" status: Status,
        /// The functions granted.
        child opt "AgreedFunctions" agreed: Functions,
        /// Asked for and not granted.
        child opt "NotAvailableFunctions" not_available: Functions,
    }

    /// A wrapper of a service tree.
    Functions {
        /// The tree; a node without children stands for all below it.
        child opt "WVSSPFeat" features: Features,
    }
}

/// One node of a `WVSSPFeat` tree; without children it stands for everything
/// below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Feature {
    /// Feature, function group or leaf.
    pub name: String,
    /// Groups of the feature, or functions of the group.
    #[serde(default)]
    pub children: Vec<Feature>,
}

/// A `WVSSPFeat` tree.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Features(pub Vec<Feature>);

impl Feature {
    fn read(node: &Node<'_>) -> Self {
        Self {
            name: node.name.to_owned(),
            children: node.children.iter().map(Self::read).collect(),
        }
    }

    fn write(&self, out: &mut Writer<'_>) {
        out.element(&self.name, |out| {
            for child in &self.children {
                child.write(out);
            }
        });
    }
}

impl Content for Features {
    fn read(node: &Node<'_>) -> Result<Self, DecodeError> {
        Ok(Self(node.children.iter().map(Feature::read).collect()))
    }

    fn write(&self, name: &str, out: &mut Writer<'_>) {
        out.element(name, |out| {
            for feature in &self.0 {
                feature.write(out);
            }
        });
    }
}
