//! Invitations: to groups, presence, content, messages.

use crate::csp::typed::element;
use crate::imps::Address;
use crate::imps::common::{Recipient, ScreenName, Sender};
use crate::imps::presence::PresenceSubList;

element! {
    /// A client invites.
    InviteRequest {
        one "InviteID" id: String,
        one "InviteType" kind: String,
        opt "Sender" sender: Sender,
        opt "Recipient" recipients: Vec<Recipient>,
        opt "ApplicationID" application: String,
        opt "GroupID" group: Address,
        opt "PresenceSubList" attributes: PresenceSubList,
        list "URLList" / "URL" urls: String,
        opt "InviteNote" note: String,
        opt "ScreenName" screen_name: ScreenName,
        opt "Validity" validity: u32,
    }

    /// What became of the client's invitation.
    InviteResponse {
        one "InviteID" id: String,
        def "Acceptance" acceptance: bool,
        opt "Sender" sender: Sender,
        opt "Recipient" recipients: Vec<Recipient>,
        opt "ResponseNote" | "InviteNote" note: String,
        opt "ScreenName" screen_name: ScreenName,
    }

    /// A client is invited.
    InviteUserRequest {
        one "InviteID" id: String,
        one "InviteType" kind: String,
        opt "Sender" sender: Sender,
        opt "Recipient" recipients: Vec<Recipient>,
        opt "ApplicationID" application: String,
        opt "GroupID" group: Address,
        opt "PresenceSubList" attributes: PresenceSubList,
        list "URLList" / "URL" urls: String,
        opt "InviteNote" note: String,
        opt "ScreenName" screen_name: ScreenName,
        opt "Validity" validity: u32,
    }

    /// The client accepts or declines.
    InviteUserResponse {
        one "InviteID" id: String,
        def "Acceptance" acceptance: bool,
        opt "Sender" sender: Sender,
        opt "Recipient" recipients: Vec<Recipient>,
        opt "ResponseNote" note: String,
        opt "ScreenName" screen_name: ScreenName,
    }

    /// A client takes its invitation back.
    CancelInviteRequest {
        one "InviteID" id: String,
        opt "Sender" sender: Sender,
        opt "Recipient" recipients: Vec<Recipient>,
        opt "InviteNote" note: String,
        opt "ApplicationID" application: String,
        opt "GroupID" group: Address,
        opt "PresenceSubList" attributes: PresenceSubList,
        list "URLList" / "URL" urls: String,
        opt "ScreenName" screen_name: ScreenName,
    }

    /// A client's invitation has been taken back.
    CancelInviteUserRequest {
        one "InviteID" id: String,
        opt "Sender" sender: Sender,
        opt "Recipient" recipients: Vec<Recipient>,
        opt "InviteNote" note: String,
        opt "ApplicationID" application: String,
        opt "GroupID" group: Address,
        opt "PresenceSubList" attributes: PresenceSubList,
        list "URLList" / "URL" urls: String,
        opt "ScreenName" screen_name: ScreenName,
    }
}
