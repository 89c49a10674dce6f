//! Why something cannot be done with a user.

/// Why users cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The name cannot stand in an address.
    #[error("{0:?} is not a possible user name")]
    Invalid(String),
    /// There is one of that name.
    #[error("the user {0} exists already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no user {0}")]
    Unknown(String),
    /// The account is disabled.
    #[error("the account of {0} is disabled")]
    Disabled(String),
    /// What is kept of the user cannot be read now.
    #[error("the account of {0} is temporarily unavailable")]
    Unavailable(String),
    /// Something that is said of the user cannot be; in words.
    #[error("{0}: {1}")]
    Refused(String, String),
    /// The bound of the settings is reached.
    #[error("there is no room for another {0}")]
    Full(&'static str),
}
