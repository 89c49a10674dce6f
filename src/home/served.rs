//! The functions that the home domain serves, by their names in the service tree.

/// What a home domain serves to everybody.
pub const SERVES: &[&str] = &[
    "SUBPR",
    "GETPR",
    "SENDM",
    "MDELIV",
    "GETSPI",
    "VRID",
    "GETUP",
    "UPDUP",
    "SearchFunc",
    "GroupFeat",
    "InviteFunc",
    "ContentFeat",
];

/// What it serves to its own users besides, and to those of a home domain that has it for a
/// provider.
pub const SERVES_OWN: &[&str] = &[
    "UPDPR", "GETWL", "REACT", "CAAUT", "GETAUT", "GCLI", "CCLI", "DCLI", "MCLS", "CALI", "DALI",
    "GALS", "GLBLU", "BLENT", "SETD", "GETLM", "GETM", "REJCM", "FWMSG", "NEWM",
];

/// What the echo user of a node without home domain serves.
pub(super) const ECHO_SERVES: &[&str] = &["SUBPR", "GETPR", "SENDM", "MDELIV"];
