//! Version discovery: two messages without a session.

use super::typed::element;

element! {
    /// Which versions the client knows.
    DiscoveryRequest {
        opt "VersionList" versions: VersionList,
        many "ExtendedData" extended: String,
    }

    /// Which versions the server knows, and which other servers there are.
    DiscoveryResponse {
        opt "VersionList" versions: VersionList,
        many "OtherServer" servers: crate::imps::common::ClientId,
        many "ExtendedData" extended: String,
    }

    /// Namespaces by what they are of.
    VersionList {
        many "SessionNSName" sessions: String,
        many "TransactionNSName" transactions: String,
        many "PresenceAttributeNSName" presence: String,
    }
}
