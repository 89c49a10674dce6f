//! Services that a client may use: the leaves of its tree of functions.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::csp::Version;
use crate::csp::primitive::service::{Function, Functions};

/// A feature, its functions, and the leaves of each.
type Feature = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static [Leaf])],
);

/// A leaf of the tree, and the versions that have it.
type Leaf = (&'static str, &'static [Version]);

const ALL: &[Version] = &Version::ALL;
const TO_1_2: &[Version] = &[Version::V1_1, Version::V1_2];
const IN_1_2: &[Version] = &[Version::V1_2];
const FROM_1_3: &[Version] = &[Version::V1_3];

/// The tree by feature; the second name stands for the feature as a whole, from 1.2 on.
const TREE: &[Feature] = &[
    (
        "FundamentalFeat",
        "MF",
        &[
            (
                "ServiceFunc",
                &[("GETSPI", ALL), ("GETMAP", FROM_1_3), ("SGMNT", FROM_1_3)],
            ),
            (
                "SearchFunc",
                &[("SRCH", ALL), ("ADVSR", FROM_1_3), ("STSRC", ALL)],
            ),
            ("InviteFunc", &[("INVIT", ALL), ("CAINV", ALL)]),
            ("VerifyIDFunc", &[("VRID", FROM_1_3)]),
        ],
    ),
    (
        "PresenceFeat",
        "MP",
        &[
            (
                "ContListFunc",
                &[("GCLI", ALL), ("CCLI", ALL), ("DCLI", ALL), ("MCLS", ALL)],
            ),
            (
                "PresenceAuthFunc",
                &[
                    ("GETWL", ALL),
                    ("REACT", TO_1_2),
                    ("CAAUT", TO_1_2),
                    ("GETAUT", IN_1_2),
                ],
            ),
            ("PresenceDeliverFunc", &[("GETPR", ALL), ("UPDPR", ALL)]),
            (
                "AttListFunc",
                &[("CALI", TO_1_2), ("DALI", TO_1_2), ("GALS", TO_1_2)],
            ),
        ],
    ),
    (
        "IMFeat",
        "MM",
        &[
            ("IMSendFunc", &[("MDELIV", ALL), ("FWMSG", ALL)]),
            (
                "IMReceiveFunc",
                &[
                    ("SETD", ALL),
                    ("GETLM", ALL),
                    ("GETM", ALL),
                    ("REJCM", ALL),
                    ("NOTIF", ALL),
                    ("NEWM", ALL),
                    ("OFFNOTIF", FROM_1_3),
                ],
            ),
            ("IMAuthFunc", &[("GLBLU", ALL), ("BLENT", ALL)]),
        ],
    ),
    (
        "GroupFeat",
        "MG",
        &[
            (
                "GroupMgmtFunc",
                &[
                    ("CREAG", ALL),
                    ("DELGR", ALL),
                    ("GETGP", ALL),
                    ("SETGP", ALL),
                ],
            ),
            (
                "GroupUseFunc",
                &[("SUBGCN", ALL), ("GRCHN", ALL), ("EXCON", FROM_1_3)],
            ),
            (
                "GroupAuthFunc",
                &[
                    ("GETGM", ALL),
                    ("ADDGM", ALL),
                    ("RMVGM", ALL),
                    ("MBRAC", ALL),
                    ("REJEC", ALL),
                    ("GETJU", FROM_1_3),
                ],
            ),
        ],
    ),
];

/// Leaves that nobody serves.
const UNSERVED: &[&str] = &["GETMAP", "SGMNT", "ADVSR", "OFFNOTIF", "EXCON"];

/// Leaves of the tree, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Services(BTreeSet<String>);

impl Services {
    /// Everything that is served in a version.
    pub fn served(version: Version) -> Self {
        let leaves = leaves(version).filter(|(_, _, leaf)| !UNSERVED.contains(leaf));
        Self(leaves.map(|(_, _, leaf)| leaf.to_owned()).collect())
    }

    /// What a client asks for in its version. A node without parts is everything below it; none at
    /// all is the whole tree. Names that the tree does not have are left out.
    pub fn asked(functions: &Functions, version: Version) -> Self {
        let asked = |feature: &str, whole: &str, function: &str, leaf: &str| {
            functions
                .0
                .iter()
                .any(|node| node.name == feature && is_asked(&node.parts, &[whole, function], leaf))
        };
        let all = leaves(version);
        let wanted = all.filter(|(feature, function, leaf)| {
            functions.0.is_empty() || asked(feature.0, feature.1, function, leaf)
        });
        Self(wanted.map(|(_, _, leaf)| leaf.to_owned()).collect())
    }

    /// Whether a leaf is among them.
    pub fn has(&self, leaf: &str) -> bool {
        self.0.contains(leaf)
    }

    /// What both have.
    #[must_use]
    pub fn both(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// What the other does not have.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a tree of a version: each leaf by name, in the order of the version.
    pub fn tree(&self, version: Version) -> Functions {
        let feature = |feature: &Feature| {
            let function = |(name, leaves): &(&'static str, &'static [Leaf])| {
                let named = leaves
                    .iter()
                    .filter(|(leaf, versions)| versions.contains(&version) && self.has(leaf));
                let parts: Vec<Function> = named
                    .map(|(leaf, _)| Function::new(*leaf, Vec::new()))
                    .collect();
                (!parts.is_empty()).then(|| Function::new(*name, parts))
            };
            let parts: Vec<Function> = feature.2.iter().filter_map(function).collect();
            (!parts.is_empty()).then(|| Function::new(feature.0, parts))
        };
        Functions(TREE.iter().filter_map(feature).collect())
    }
}

/// Whether a leaf is asked for by the parts of a feature; `whole` names what stands for it besides
/// its own name.
fn is_asked(parts: &[Function], whole: &[&str], leaf: &str) -> bool {
    let [feature, function] = whole else {
        return false;
    };
    parts.is_empty()
        || parts.iter().any(|part| {
            part.name == *feature
                || part.name == *function
                    && (part.parts.is_empty() || part.parts.iter().any(|one| one.name == leaf))
        })
}

/// The leaves of a version, each with its feature and its function.
fn leaves(
    version: Version,
) -> impl Iterator<Item = (&'static Feature, &'static str, &'static str)> {
    TREE.iter().flat_map(move |feature| {
        feature.2.iter().flat_map(move |(function, leaves)| {
            let of_version = leaves
                .iter()
                .filter(move |(_, versions)| versions.contains(&version));
            of_version.map(move |(leaf, _)| (feature, *function, *leaf))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Node<'n> = (&'n str, &'n [(&'n str, &'n [&'n str])]);

    fn tree(nodes: &[Node<'_>]) -> Functions {
        let leaf = |leaf: &&str| Function::new(*leaf, Vec::new());
        let function = |(name, leaves): &(&str, &[&str])| {
            Function::new(*name, leaves.iter().map(leaf).collect())
        };
        let feature = |(name, functions): &(&str, &[(&str, &[&str])])| {
            Function::new(*name, functions.iter().map(function).collect())
        };
        Functions(nodes.iter().map(feature).collect())
    }

    #[test]
    fn a_node_without_parts_is_everything_below_it() {
        let asked = |nodes: &[Node<'_>]| Services::asked(&tree(nodes), Version::V1_2);
        let presence = asked(&[("PresenceFeat", &[])]);
        assert!(presence.has("GETAUT") && presence.has("CALI") && !presence.has("SRCH"));
        assert_eq!(asked(&[("PresenceFeat", &[("MP", &[])])]), presence);
        let lists = asked(&[("PresenceFeat", &[("ContListFunc", &[])])]);
        assert!(lists.has("GCLI") && lists.has("MCLS") && !lists.has("GETPR"));
        let one = asked(&[("PresenceFeat", &[("ContListFunc", &["GCLI"])])]);
        assert!(one.has("GCLI") && !one.has("MCLS"));
        let all = asked(&[]);
        assert_eq!(presence.without(&all), Services::default());
        assert_eq!(presence.both(&lists), lists);
    }

    #[test]
    fn what_is_served_is_a_tree_of_each_version_and_read_back() {
        for version in Version::ALL {
            let served = Services::served(version);
            assert!(!served.is_empty() && !served.has("GETMAP"));
            assert_eq!(served.has("REACT"), version < Version::V1_3);
            assert_eq!(Services::asked(&served.tree(version), version), served);
        }
    }
}
