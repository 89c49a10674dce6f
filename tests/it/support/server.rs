//! A real XMPP server of either make, for suites that hold with both.

use super::ejabberd::Ejabberd;
use super::prosody::Prosody;
use super::xmpp_user::XmppUser;

/// A running server.
pub(crate) enum Server {
    Prosody(Prosody),
    Ejabberd(Box<Ejabberd>),
}

/// What each of them is to have: a host, users and components, each with its secret.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) host: &'static str,
    pub(crate) users: &'static [(&'static str, &'static str)],
    pub(crate) components: &'static [(&'static str, &'static str)],
}

impl Setup {
    pub(crate) fn prosody(self) -> Server {
        let rooms = format!("conference.{}", self.host);
        let mut builder = Prosody::build().host(self.host).muc(&rooms);
        for (user, password) in self.users {
            builder = builder.user(user, self.host, password);
        }
        for (domain, secret) in self.components {
            builder = builder.component(domain, secret);
        }
        Server::Prosody(builder.start())
    }

    pub(crate) fn ejabberd(self) -> Server {
        let server = Ejabberd::start(self.host, self.users, self.components, false);
        Server::Ejabberd(Box::new(server))
    }

    /// One after the other, each started when its turn comes.
    pub(crate) fn both(self) -> impl Iterator<Item = Server> {
        let makes: [fn(Self) -> Server; 2] = [Self::prosody, Self::ejabberd];
        makes.into_iter().map(move |make| make(self))
    }
}

impl Server {
    /// `host:port` for components.
    pub(crate) fn component_address(&self) -> String {
        match self {
            Self::Prosody(server) => server.component_address(),
            Self::Ejabberd(server) => server.component_address(),
        }
    }

    /// Port for clients.
    pub(crate) fn c2s_port(&self) -> u16 {
        match self {
            Self::Prosody(server) => server.c2s_port,
            Self::Ejabberd(server) => server.c2s_port,
        }
    }

    /// Logs a user in.
    pub(crate) async fn login(&self, jid: &str, password: &str) -> XmppUser {
        XmppUser::login_at(self.c2s_port(), jid, password).await
    }
}
