//! The service tree (`WVSSPFeat`) and sets of its functions (wire profile, 11.2).
//!
//! In the tree an element without children stands for everything below it, and
//! names nobody knows are passed over; a [`ServiceSet`] holds what is left: which
//! of the leaves are meant.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::imps::primitive::service::{Feature, Features};

/// A feature: its name, and its function groups with their leaves.
type Branch = (
    &'static str,
    &'static [(&'static str, &'static [&'static str])],
);

/// What the names of the tree stand for, as it spells them.
static NAMED: LazyLock<FxHashMap<&str, ServiceSet>> = LazyLock::new(|| {
    let branches = TREE.iter().flat_map(|(feature, groups)| {
        let groups = groups
            .iter()
            .flat_map(|(group, leaves)| [*group].into_iter().chain(leaves.iter().copied()));
        [*feature].into_iter().chain(groups)
    });
    let named = |name| Some((name, ServiceSet::searched(name)?));
    branches.filter_map(named).collect()
});

/// Features, function groups, leaves. The order of the leaves is that of the bits
/// in a [`ServiceSet`].
const TREE: &[Branch] = &[
    (
        "InteropFeat",
        &[
            ("SessionFunc", &["KEEPA", "LOGOU", "REDIR"]),
            ("ServiceMgmtFunc", &["GETSV", "NEGSV"]),
            ("ProfileFunc", &["GETUP", "UPDUP"]),
        ],
    ),
    (
        "CommonFeat",
        &[
            ("ServiceFunc", &["GETSPI"]),
            ("SearchFunc", &["SRCH", "STSRC"]),
            ("InviteFunc", &["INVIT", "CAINV"]),
            ("VerifyIDFunc", &["VRID"]),
        ],
    ),
    (
        "ContactListFeat",
        &[("ContListFunc", &["GCLI", "CCLI", "DCLI", "MCLS"])],
    ),
    (
        "PresenceFeat",
        &[
            ("PresenceDeliverFunc", &["SUBPR", "GETPR", "UPDPR"]),
            ("PresenceAuthFunc", &["GETWL", "REACT", "CAAUT", "GETAUT"]),
            ("AttListFunc", &["CALI", "DALI", "GALS"]),
        ],
    ),
    (
        "IMFeat",
        &[
            ("IMSendFunc", &["SENDM", "MDELIV", "FWMSG"]),
            (
                "IMReceiveFunc",
                &["SETD", "GETLM", "GETM", "REJCM", "NOTIF", "NEWM"],
            ),
            ("IMAuthFunc", &["GLBLU", "BLENT"]),
        ],
    ),
    (
        "GroupFeat",
        &[
            ("GroupMgmtFunc", &["CREAG", "DELGR", "GETGP", "SETGP"]),
            ("GroupUseFunc", &["JOING", "SUBGCN", "GRCHN"]),
            (
                "GroupAuthFunc",
                &["GETGM", "ADDGM", "RMVGM", "MBRAC", "REJEC", "GETJU"],
            ),
        ],
    ),
    ("ContentFeat", &[("ShareFunc", &["INVSC", "CASC"])]),
];

/// What the SAP itself serves.
const OF_SAP: &[&str] = &["KEEPA", "LOGOU", "GETSV", "NEGSV", "GETSPI"];

/// A set of functions: leaves of the service tree. Written as the fewest names
/// that stand for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "Vec<String>", from = "Vec<String>")]
pub struct ServiceSet(u64);

impl ServiceSet {
    /// No function.
    pub const NONE: Self = Self(0);
    /// Every function of the tree.
    pub const ALL: Self = Self((1 << LEAVES) - 1);

    /// Everything below a feature, function group or leaf of this name, in any
    /// case; `*` is everything. `None` if the tree has no such name.
    pub fn named(name: &str) -> Option<Self> {
        // As the tree spells them first: that is asked of each request.
        let known = NAMED.get(name).copied();
        known.or_else(|| Self::searched(name))
    }

    fn searched(name: &str) -> Option<Self> {
        if name == "*" {
            return Some(Self::ALL);
        }
        let mut bit = 0;
        for (feature, groups) in TREE {
            let first = bit;
            for (group, leaves) in *groups {
                let first = bit;
                for leaf in *leaves {
                    if leaf.eq_ignore_ascii_case(name) {
                        return Some(Self(1 << bit));
                    }
                    bit += 1;
                }
                if group.eq_ignore_ascii_case(name) {
                    return Some(span(first, bit));
                }
            }
            if feature.eq_ignore_ascii_case(name) {
                return Some(span(first, bit));
            }
        }
        None
    }

    /// The union of what the names stand for.
    ///
    /// # Errors
    /// The first name that the tree does not have.
    pub fn of_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, &'n str> {
        names.into_iter().try_fold(Self::NONE, |set, name| {
            Self::named(name).map(|more| set.union(more)).ok_or(name)
        })
    }

    /// What a service element says that it serves.
    pub fn of_element(serves: &[&str]) -> Self {
        Self::of_known(serves)
    }

    /// What the SAP serves: session and service management.
    pub fn of_sap() -> Self {
        Self::of_known(OF_SAP)
    }

    /// Leaves by names that this program has written.
    pub(in crate::sap) fn of_known(names: &[&str]) -> Self {
        let known = names.iter().filter_map(|name| Self::named(name));
        known.fold(Self::NONE, Self::union)
    }

    /// All names that [`ServiceSet::named`] knows.
    pub fn known_names() -> Vec<&'static str> {
        let mut names = Vec::new();
        for (feature, groups) in TREE {
            names.push(*feature);
            for (group, leaves) in *groups {
                names.push(*group);
                names.extend_from_slice(leaves);
            }
        }
        names
    }

    /// What a `WVSSPFeat` means.
    pub fn of_features(features: &Features) -> Self {
        features
            .0
            .iter()
            .fold(Self::NONE, |set, feature| set.union(meant(feature)))
    }

    /// The `WVSSPFeat` that says this in the fewest elements.
    pub fn features(self) -> Features {
        let mut tree = Vec::new();
        let mut bit = 0;
        for (feature, groups) in TREE {
            let first = bit;
            let mut children = Vec::new();
            for (group, leaves) in *groups {
                let first = bit;
                let held: Vec<Feature> = leaves
                    .iter()
                    .enumerate()
                    .filter(|(n, _)| self.0 & (1 << (first + n)) != 0)
                    .map(|(_, leaf)| element(leaf, Vec::new()))
                    .collect();
                bit += leaves.len();
                if held.len() == leaves.len() {
                    children.push(element(group, Vec::new()));
                } else if !held.is_empty() {
                    children.push(element(group, held));
                }
            }
            if self.includes(span(first, bit)) {
                tree.push(element(feature, Vec::new()));
            } else if !children.is_empty() {
                tree.push(element(feature, children));
            }
        }
        Features(tree)
    }

    /// The fewest names that stand for this set, in the tree's order.
    pub fn names(self) -> Vec<String> {
        fn collect(features: Vec<Feature>, names: &mut Vec<String>) {
            for feature in features {
                if feature.children.is_empty() {
                    names.push(feature.name);
                } else {
                    collect(feature.children, names);
                }
            }
        }
        let mut names = Vec::new();
        collect(self.features().0, &mut names);
        names
    }

    /// The functions that either has.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The functions that both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In this one only.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in this one.
    pub const fn includes(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<ServiceSet> for Vec<String> {
    fn from(set: ServiceSet) -> Self {
        set.names()
    }
}

/// Names that a later version of the tree may have dropped are passed over.
impl From<Vec<String>> for ServiceSet {
    fn from(names: Vec<String>) -> Self {
        names
            .iter()
            .filter_map(|name| Self::named(name))
            .fold(Self::NONE, Self::union)
    }
}

const LEAVES: usize = {
    let (mut count, mut feature) = (0, 0);
    while feature < TREE.len() {
        let mut group = 0;
        while group < TREE[feature].1.len() {
            count += TREE[feature].1[group].1.len();
            group += 1;
        }
        feature += 1;
    }
    count
};

/// The leaves from one number up to, not including, another.
fn span(first: usize, end: usize) -> ServiceSet {
    ServiceSet(((1 << end) - 1) & !((1 << first) - 1))
}

fn meant(feature: &Feature) -> ServiceSet {
    let Some(whole) = ServiceSet::named(&feature.name) else {
        return ServiceSet::NONE;
    };
    if feature.children.is_empty() {
        return whole;
    }
    let below = feature.children.iter().map(meant);
    below
        .fold(ServiceSet::NONE, ServiceSet::union)
        .intersection(whole)
}

fn element(name: &str, children: Vec<Feature>) -> Feature {
    Feature {
        name: name.to_owned(),
        children,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imps::primitive;

    fn set(names: &[&str]) -> ServiceSet {
        ServiceSet::of_names(names.iter().copied()).unwrap()
    }

    #[test]
    fn every_primitive_has_its_leaf_in_the_tree() {
        for name in primitive::Primitive::NAMES {
            let leaf = primitive::facts(name).unwrap().leaf;
            assert!(
                leaf.is_empty() || ServiceSet::named(leaf).is_some(),
                "{name}: {leaf}"
            );
        }
    }

    #[test]
    fn complete_subtrees_are_bare_elements() {
        assert_eq!(
            set(&["SENDM", "MDELIV", "FWMSG", "SUBPR"]).names(),
            ["SUBPR", "IMSendFunc"]
        );
        assert_eq!(set(&["INVSC", "CASC"]).names(), ["ContentFeat"]);
        assert_eq!(ServiceSet::ALL.names().len(), TREE.len());
        assert!(ServiceSet::NONE.names().is_empty());
    }

    #[test]
    fn trees_and_sets_say_the_same() {
        for names in [
            &["IMFeat", "GETGM"][..],
            &["*"],
            &[],
            &["REDIR", "AttListFunc"],
        ] {
            let set = set(names);
            assert_eq!(ServiceSet::of_features(&set.features()), set, "{names:?}");
        }
    }

    #[test]
    fn unknown_names_are_passed_over_with_what_is_below() {
        let tree = Features(vec![
            element("VideoFeat", vec![element("SENDM", vec![])]),
            element("IMFeat", vec![element("HologramFunc", vec![])]),
            element(
                "GroupFeat",
                vec![element("GroupUseFunc", vec![element("JOING", vec![])])],
            ),
        ]);
        assert_eq!(ServiceSet::of_features(&tree), set(&["JOING"]));
    }

    #[test]
    fn a_leaf_under_a_strange_parent_does_not_count() {
        let tree = Features(vec![element("IMFeat", vec![element("SUBPR", vec![])])]);
        assert_eq!(ServiceSet::of_features(&tree), ServiceSet::NONE);
    }

    #[test]
    fn a_set_survives_its_record() {
        let set = set(&["PresenceFeat", "SENDM"]);
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<ServiceSet>(&text).unwrap(), set);
    }

    #[test]
    fn names_outside_the_tree_are_told() {
        assert_eq!(ServiceSet::of_names(["IMFeat", "IMfeet"]), Err("IMfeet"));
    }
}
