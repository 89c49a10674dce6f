//! Invitations (wire profile, 9.1): to groups, presence, content, messaging.

use crate::imps::Status;
use crate::imps::common::{
    ApplicationId, AttributeList, ContentId, GroupId, MetaInfo, Party, ScreenName,
};
use crate::imps::xml::element::element;

element! {
    /// Inviter's home domain to invitee's (9.1.1). Answered by `Status`.
    InviteRequest {
        /// Unique per inviter.
        attr one "inviteID" invite_id: String,
        /// `GR`, `PR`, `SC`, `IM`, `GM`, `AP`, `EC`, `EG`. Never omit it: the
        /// deployed server ends without.
        attr one "inviteType" invite_type: String,
        /// Seconds; 0 means unspecified.
        attr def "validity" validity: u32,
        /// Who asks: a user, or a domain for itself.
        child opt "MetaInfo" meta: MetaInfo,
        /// Who invites, as the one invited sees them.
        child opt "Inviting" inviting: Party,
        /// Who is invited; an address or a screen name in a group.
        child opt "Invited" invited: Party,
        /// The group (GR, GM, EG).
        child opt "GroupID" group: GroupId,
        /// The application (AP).
        child opt "ApplicationID" application: ApplicationId,
        /// The attributes (PR).
        child opt "AttributeList" attributes: AttributeList,
        /// The content (SC).
        list of "ContentIDList" / "ContentID" contents: ContentId,
        /// A note for people.
        child opt "InviteNote" note: String,
        /// The inviter's name in the group.
        child opt "ScreenName" screen_name: ScreenName,
    }

    /// Invitee's home domain to inviter's (9.1.2): a message of its own, not
    /// answered. The deployed server exchanges the two parties.
    InviteResponse {
        /// As in the request.
        attr one "inviteID" invite_id: String,
        /// Accepted or rejected.
        attr def "acceptance" acceptance: bool,
        /// The requestor: who answers.
        child opt "MetaInfo" meta: MetaInfo,
        /// 200 or, rejected by the deployed server, 404.
        child opt "Status" status: Status,
        /// The original inviter.
        child opt "Inviting" inviting: Party,
        /// The one who responds.
        child opt "Responding" responding: Party,
        /// A note for people.
        child opt "ResponseNote" note: String,
        /// The responder's name in the group.
        child opt "ScreenName" screen_name: ScreenName,
    }

    /// Withdraws an invitation (9.1.3). Answered by `Status`.
    CancelInviteRequest {
        /// As in the request.
        attr one "inviteID" invite_id: String,
        /// Who asks: a user, or a domain for itself.
        child opt "MetaInfo" meta: MetaInfo,
        /// Who has invited, and takes it back.
        child opt "Canceling" canceling: Party,
        /// Whose invitation is withdrawn.
        child opt "Canceled" canceled: Party,
        /// The group, as in the request.
        child opt "GroupID" group: GroupId,
        /// The application, as in the request.
        child opt "ApplicationID" application: ApplicationId,
        /// The attributes, as in the request.
        child opt "AttributeList" attributes: AttributeList,
        /// The content, as in the request.
        list of "ContentIDList" / "ContentID" contents: ContentId,
        /// A note for people.
        child opt "CancelNote" note: String,
        /// The inviter's name in the group.
        child opt "ScreenName" screen_name: ScreenName,
    }
}
