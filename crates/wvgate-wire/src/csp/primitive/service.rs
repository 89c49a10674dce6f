//! Negotiation of services, and who provides them.

use crate::csp::element::Element;
use crate::csp::typed::{Content, element};
use crate::csp::version::Version;
use crate::imps::common::ClientId;
use crate::imps::xml::DecodeError;

element! {
    /// Asks for services.
    ServiceRequest {
        opt "ClientID" client: ClientId,
        opt "Functions" functions: Functions,
        def "AllFunctionsRequest" wants_all: bool,
    }

    /// What of them is agreed, and what there is.
    ServiceResponse {
        opt "ClientID" client: ClientId,
        opt "Functions" functions: Functions,
        opt "AllFunctions" all: Functions,
    }

    /// Asks who provides the service.
    GetSPInfoRequest {
        opt "ClientID" client: ClientId,
    }

    /// Who provides the service.
    GetSPInfoResponse {
        opt "ClientID" client: ClientId,
        one "Name" name: String,
        opt "Logo" logo: super::content::ContentBlock,
        opt "Description" description: String,
        opt "URL" url: String,
    }
}

/// A tree of features, functions and primitives by their names in `WVCSPFeat`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Functions(pub Vec<Function>);

/// A node of the tree. Without parts it is a primitive, or a feature as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// `PresenceFeat`, `ContListFunc`, `GCLI`, ...
    pub name: String,
    /// What it is made of.
    pub parts: Vec<Function>,
}

impl Functions {
    /// Whether a name stands anywhere in the tree.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|function| function.has(name))
    }
}

impl Function {
    /// A node with parts.
    pub fn new(name: impl Into<String>, parts: Vec<Function>) -> Self {
        Self {
            name: name.into(),
            parts,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.name == name || self.parts.iter().any(|part| part.has(name))
    }

    fn read(element: &Element<'_>) -> Self {
        Self::new(
            element.name,
            element.children.iter().map(Self::read).collect(),
        )
    }

    fn element(&self) -> Element<'_> {
        Element::of(&self.name, self.parts.iter().map(Self::element).collect())
    }
}

impl Content for Functions {
    fn read(element: &Element<'_>) -> Result<Self, DecodeError> {
        let features = element.child("WVCSPFeat");
        let features = features.map(|tree| tree.children.iter().map(Function::read).collect());
        Ok(Self(features.unwrap_or_default()))
    }

    fn element<'v>(&'v self, name: &'static str, _: Version) -> Element<'v> {
        let features = self.0.iter().map(Function::element).collect();
        Element::of(name, vec![Element::of("WVCSPFeat", features)])
    }
}
