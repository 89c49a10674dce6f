//! A question of the SSP side: what was heard, and what is answered.

use minidom::Element;
use xmpp_parsers::jid::BareJid;

use crate::element::RequestId;
use crate::gateway::presence::Watches;
use crate::gateway::shared::Shared;
use crate::imps::datetime::DateTime;
use crate::imps::primitive::Primitive;
use crate::imps::primitive::profile::{
    GetUserProfileResponse, PrivacyCapability, ProfileParts, ProfileService, Terminal, UserProfile,
};
use crate::imps::{Address, Code, Status};
use crate::translate::Translator;
use crate::translate::card::{Card, ask, profile, provider::Provider};

/// A question, and how far it is answered.
#[derive(Debug)]
pub(super) struct Query {
    pub(super) request: RequestId,
    /// Who is asked, and alone may answer.
    pub(super) to: BareJid,
    /// Answers that are to come.
    pub(super) waits: usize,
    pub(super) what: What,
}

/// What is wanted.
#[derive(Debug)]
pub(super) enum What {
    /// The profile of a user.
    Profile(Box<OfUser>),
    /// Who runs the domain.
    Provider(Box<OfDomain>),
}

/// What is known of who runs the domain.
#[derive(Debug)]
pub(super) struct OfDomain {
    pub(super) service: Address,
    pub(super) info: Option<Element>,
    pub(super) card: Option<Card>,
}

/// What is known of a user.
#[derive(Debug)]
pub(super) struct OfUser {
    user: Address,
    /// The user who asks; absent if a server asks for itself.
    asker: Option<Address>,
    parts: ProfileParts,
    card: Option<Card>,
    card4: Option<Card>,
    is_account: bool,
    access: Option<&'static str>,
    failures: Vec<Code>,
}

/// What one of several questions is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Card,
    Card4,
    Info,
    Location,
}

impl Part {
    /// What is asked.
    pub(super) fn payload(self) -> Element {
        match self {
            Self::Card => ask::temp(),
            Self::Card4 => ask::vcard4(),
            Self::Info => ask::info(),
            Self::Location => ask::location(),
        }
    }
}

impl OfUser {
    /// Nothing yet.
    pub(super) fn new(user: Address, asker: Option<Address>, parts: ProfileParts) -> Self {
        Self {
            user,
            asker,
            parts,
            card: None,
            card4: None,
            is_account: false,
            access: None,
            failures: Vec::new(),
        }
    }

    fn answer(&self, watches: &Watches, today: DateTime, shared: &Shared) -> Primitive {
        let has = |card: &Option<Card>| card.as_ref().is_some_and(|card| !card.is_empty());
        if !has(&self.card) && !has(&self.card4) && !self.is_account {
            let code = self.failure();
            return GetUserProfileResponse {
                user: Some(self.user.clone()),
                status: Status::new(code),
                profile: None,
            }
            .into();
        }
        let card = self.card4.clone().unwrap_or_default();
        let card = card.or(self.card.clone().unwrap_or_default());
        let parts = &self.parts;
        let profile = UserProfile {
            user: Some(self.user.clone()),
            modified: None,
            services: parts
                .services
                .is_some()
                .then(|| services(&shared.translator)),
            privacy: parts.privacy.is_some().then(|| {
                vec![PrivacyCapability {
                    name: "UserLocation".to_owned(),
                    status: Some(self.access.unwrap_or("Denied").to_owned()),
                }]
            }),
            terminals: parts.terminals.is_some().then(|| {
                let asker = self.asker.as_ref();
                let clients = asker.map(|asker| watches.clients(&self.user, asker, shared));
                clients
                    .unwrap_or_default()
                    .into_iter()
                    .map(terminal)
                    .collect()
            }),
            properties: parts
                .properties
                .is_some()
                .then(|| profile::properties(&card, today)),
        };
        GetUserProfileResponse {
            user: Some(self.user.clone()),
            status: Status::ok(),
            profile: Some(profile),
        }
        .into()
    }

    /// Why nothing is known: servers tell strangers of their users as if there were nobody.
    fn failure(&self) -> Code {
        let told = self.failures.iter().copied();
        let other = told
            .clone()
            .find(|code| !matches!(code.0, 404 | 405 | 503 | 531 | 533));
        match (self.failures.is_empty(), other) {
            (true, _) => Code::TIMEOUT,
            (false, Some(code)) => code,
            (false, None) => Code::UNKNOWN_USER,
        }
    }
}

impl Query {
    /// Takes an answer to one of its questions.
    pub(super) fn take(&mut self, part: Part, answer: Result<Option<Element>, Code>) {
        self.waits = self.waits.saturating_sub(1);
        match &mut self.what {
            What::Provider(of) => match (part, answer) {
                (Part::Info, Ok(payload)) => of.info = payload,
                (Part::Card, Ok(payload)) => of.card = payload.as_ref().and_then(Card::read),
                _ => {}
            },
            What::Profile(of) => match answer {
                Ok(payload) => {
                    let payload = payload.as_ref();
                    // How somebody looks is no property.
                    let card = |element: &Element| {
                        let card = Card::read(element)?;
                        Some(Card {
                            photo: None,
                            ..card
                        })
                    };
                    match part {
                        Part::Card => of.card = payload.and_then(card),
                        Part::Card4 => of.card4 = payload.and_then(ask::published).and_then(card),
                        Part::Info => of.is_account = payload.is_some_and(ask::is_account),
                        Part::Location => of.access = payload.map(ask::access),
                    }
                }
                // Whether there is a node of PEP says nothing of the user.
                Err(_) if matches!(part, Part::Card4 | Part::Location) => {}
                Err(code) => of.failures.push(code),
            },
        }
    }

    /// Answers with what is known by now.
    pub(super) fn answer(self, watches: &Watches, today: DateTime, shared: &mut Shared) {
        let answer = match self.what {
            What::Profile(of) => of.answer(watches, today, shared),
            What::Provider(of) => {
                let OfDomain {
                    service,
                    info,
                    card,
                } = *of;
                let provider = Provider::of_xmpp(info.as_ref(), card);
                let domain = shared.translator.domain.clone();
                let provider = Provider {
                    name: provider.name.or(Some(domain)),
                    ..provider
                };
                if info.is_none() && provider.description.is_none() && provider.logo.is_none() {
                    Status::new(Code::TIMEOUT).into()
                } else {
                    provider.to_ssp(service).into()
                }
            }
        };
        shared.respond(self.request, answer);
    }
}

/// What every account of the XMPP domain has.
fn services(translator: &Translator) -> Vec<ProfileService> {
    let service = |name: &str, is_active: bool| ProfileService {
        name: name.to_owned(),
        status: Some(if is_active { "Active" } else { "Inactive" }.to_owned()),
        pse: None,
    };
    vec![
        service("Presence", true),
        service("IM", true),
        service("Group", !translator.muc.is_empty()),
    ]
}

/// A client of an XMPP user.
fn terminal(resource: String) -> Terminal {
    Terminal {
        url: Some(resource),
        client_type: Some("COMPUTER".to_owned()),
        delivery_method: Some("P".to_owned()),
        content_types: vec!["text/plain".to_owned()],
        transfer_encoding: None,
        content_length: None,
        bearers: Vec::new(),
        cir_methods: Vec::new(),
    }
}
