//! Questions of either side, and what they begin with on the other.

use minidom::Element;
use tokio_xmpp::Stanza;
use xmpp_parsers::iq::Iq;
use xmpp_parsers::jid::{BareJid, Jid};

use super::ends;
use crate::imps::Primitive;
use crate::imps::address::Kind;
use crate::imps::common::MetaInfo;
use crate::imps::primitive::common::{GetSPInfoRequest, SearchRequest};
use crate::imps::primitive::profile::{GetUserProfileRequest, ProfileParts};
use crate::imps::xml::element::Empty;
use crate::translate::stanza::ns;
use crate::translate::{Translator, search};

/// What an XMPP user wants to know.
pub(super) fn question(translator: &Translator, iq: &Iq) -> Result<Primitive, String> {
    let alone = || "an iq has no counterpart that stands alone".to_owned();
    let (payload, is_set) = match iq {
        Iq::Get { payload, .. } => (payload, false),
        Iq::Set { payload, .. } => (payload, true),
        Iq::Result { .. } | Iq::Error { .. } => return Err(alone()),
    };
    let (from, to) = (ends(iq.from())?, ends(iq.to())?);
    let address = |jid: &Jid| translator.address(jid).map_err(|error| error.to_string());
    let (user, about) = (address(from)?, address(to)?);
    let meta = Some(MetaInfo::of_user(user.domain(), user.clone()));
    let is_card = payload.is("vCard", ns::VCARD) && !is_set;
    if payload.is("query", search::NS) && is_set {
        let asked = search::form::asked(payload).ok_or_else(alone)?;
        return Ok(SearchRequest {
            limit: Some(100),
            search_id: None,
            index: None,
            meta,
            pairs: Some(asked.pairs),
        }
        .into());
    }
    if is_card && about.kind() == Kind::User {
        return Ok(GetUserProfileRequest {
            user: about,
            meta,
            parts: Some(ProfileParts {
                services: None,
                privacy: None,
                terminals: None,
                properties: Some(Empty),
            }),
        }
        .into());
    }
    if about.kind() == Kind::Service && (is_card || payload.is("query", ns::DISCO_INFO)) {
        return Ok(GetSPInfoRequest {
            service: Some(about),
            meta: Some(MetaInfo::of_server(&translator.own_ssp_domain())),
        }
        .into());
    }
    Err(alone())
}

/// The questions that begin what follows from a request: further ones depend on the answers.
pub(super) fn ask(
    translator: &Translator,
    asker: Option<&MetaInfo>,
    services: &[BareJid],
    payloads: &[Element],
) -> Result<Vec<Stanza>, String> {
    let user = asker.and_then(MetaInfo::user);
    let from = match user {
        Some(user) => translator.jid_from(user).map_err(|e| e.to_string())?,
        None => {
            let component = translator.components.first();
            let component = component.ok_or("there is no component")?;
            Jid::new(component).map_err(|e| e.to_string())?
        }
    };
    let questions = services.iter().flat_map(|to| {
        payloads.iter().map(|payload| Iq::Get {
            from: Some(from.clone()),
            to: Some(to.clone().into()),
            id: "1".to_owned(),
            payload: payload.clone(),
        })
    });
    Ok(questions.map(Stanza::Iq).collect())
}
