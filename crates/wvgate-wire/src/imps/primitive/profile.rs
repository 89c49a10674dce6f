//! User profile management (wire profile, 11.4).

use crate::imps::Address;
use crate::imps::Status;
use crate::imps::common::{MetaInfo, Property};
use crate::imps::datetime::DateTime;
use crate::imps::xml::element::{Empty, element};

element! {
    /// Asks another server for what it knows of a user.
    GetUserProfileRequest {
        /// The user whose profile it is.
        attr one "userID" user: Address,
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
        /// What is wanted; absent means everything.
        child opt "ProfileParts" parts: ProfileParts,
    }

    /// Parts of a profile that are asked for.
    ProfileParts {
        /// Services subscribed.
        child opt "SubscribedServices" services: Empty,
        /// Whether network capabilities may be told of the user.
        child opt "PrivacyStatus" privacy: Empty,
        /// What the user's clients can do.
        child opt "TerminalCapabilities" terminals: Empty,
        /// What users tell everybody of themselves.
        child opt "Properties" properties: Empty,
    }

    /// What is known of a user.
    GetUserProfileResponse {
        /// The user whose profile it is.
        attr opt "userID" user: Address,
        /// Whether it was done, and what of it was not.
        child one "Status" status: Status,
        /// The parts that were asked for.
        child opt "UserProfile" profile: UserProfile,
    }

    /// Changes what another server knows of a user.
    UpdateUserProfileRequest {
        /// The user whose profile it is.
        attr one "userID" user: Address,
        /// `Merge` (default), `Replace` or `Delete`.
        attr opt "mode" mode: String,
        /// The asking server.
        child opt "MetaInfo" meta: MetaInfo,
        /// What is to change.
        child opt "UserProfile" profile: UserProfile,
    }

    /// What servers tell each other about a user.
    UserProfile {
        /// The user it is about.
        attr opt "userID" user: Address,
        /// Time of the last change.
        attr opt "modified" modified: DateTime,
        /// Services and their state.
        list of "SubscribedServices" / "Service" services: ProfileService,
        /// Privacy regarding network capabilities.
        list of "PrivacyStatus" / "Capability" privacy: PrivacyCapability,
        /// What the user's clients can do.
        list of "TerminalCapabilities" / "Terminal" terminals: Terminal,
        /// What users tell everybody of themselves: `PP_AGE` and others.
        list of "Properties" / "Property" properties: Property,
    }

    /// A service the user subscribed to.
    ProfileService {
        /// `Presence`, `IM`, `Group`, `Content`, `Common` or `ContactList`.
        attr one "name" name: String,
        /// `Active` or `Inactive`.
        attr opt "status" status: String,
        /// The domain that provides it.
        attr opt "pse" pse: Address,
    }

    /// Privacy of one network capability.
    PrivacyCapability {
        /// `UserLocation`, `UserInteraction`, ...
        attr one "name" name: String,
        /// `Allowed`, `Denied` or `Ask`.
        attr opt "status" status: String,
    }

    /// What one terminal can do; names and values of the CSP capability list.
    Terminal {
        /// Address of the client.
        attr opt "url" url: String,
        /// `MOBILE_PHONE`, ...
        child opt "ClientType" client_type: String,
        /// `P` push or `N` notify.
        child opt "InitialDeliveryMethod" delivery_method: String,
        /// MIME types that are taken.
        child many "AcceptedContentType" content_types: String,
        /// `BASE64`, or absent: none.
        child opt "AcceptedTransferEncoding" transfer_encoding: String,
        /// The largest content that is taken, in bytes.
        child opt "AcceptedContentLength" content_length: String,
        /// `HTTP`, `WSP`, `SMS`.
        child many "SupportedBearer" bearers: String,
        /// Ways to wake the client: `STCP`, `SUDP`, `SSMS`, `SHTTP`, `WAPSMS`, `WAPUDP`.
        child many "SupportedCIRMethod" cir_methods: String,
    }
}
