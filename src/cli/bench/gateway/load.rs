//! What goes through a gateway while it is measured.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use super::super::super::Failure;
use super::super::xmpp_server::Server;
use super::bare::{Bare, Ears};
use super::stage::{SSP, Stage, XMPP};
use super::{Gateway, Own, Price, Row};
use crate::imps::common::{MetaInfo, Recipient, User};
use crate::imps::xml::{Limits, parse};
use crate::imps::{Address, Primitive};

/// Between two changes of a status: what comes earlier the gateway tells together.
const APART: Duration = Duration::from_millis(2_100);
/// Users who enter or subscribe at once.
const AT_ONCE: u64 = 50;
const TEXT: &str = "a message of about the length of a short message, to be carried across";

/// Something as it is measured.
struct Begun {
    at: Instant,
    cpu: (f64, f64),
}

impl Begun {
    fn now(stage: &Stage) -> Self {
        Self {
            at: Instant::now(),
            cpu: stage.cpu(),
        }
    }

    fn price(&self, stage: &Stage, count: u64, own: &Own) -> Price {
        let (gateway, server) = stage.cpu();
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let count = count.max(1) as f64;
        let gateway = (gateway - self.cpu.0) / count * 10_000.0;
        Price {
            per_second: count / self.at.elapsed().as_secs_f64(),
            gateway_cpu_seconds_per_10k: gateway,
            server_cpu_seconds_per_10k: (server - self.cpu.1) / count * 10_000.0,
            gateway_over_own: gateway / own.cpu_seconds_per_10k,
        }
    }
}

pub(super) async fn measure(server: Server, args: &Gateway) -> Result<Row, Failure> {
    let mut stage = Stage::set(server, args).await?;
    let warm_up = (args.messages / 10).max(1);
    across(&mut stage, args, warm_up).await?;
    let begun = Begun::now(&stage);
    across(&mut stage, args, args.messages).await?;
    let free = Own {
        per_second: 0.0,
        cpu_seconds_per_10k: 1.0,
    };
    let own = begun.price(&stage, args.messages, &free);
    let own = Own {
        per_second: own.per_second,
        cpu_seconds_per_10k: own.server_cpu_seconds_per_10k,
    };
    to_xmpp(&mut stage, args, warm_up).await?;
    let begun = Begun::now(&stage);
    to_xmpp(&mut stage, args, args.messages).await?;
    let ssp_to_xmpp = begun.price(&stage, args.messages, &own);
    to_ssp(&mut stage, args, warm_up).await?;
    let begun = Begun::now(&stage);
    to_ssp(&mut stage, args, args.messages).await?;
    let xmpp_to_ssp = begun.price(&stage, args.messages, &own);

    let (presence, kib_per_10k_subscriptions) = presence(&mut stage, args, &own).await?;
    let (room, kib_per_1k_occupants) = room(&mut stage, args, &own).await?;
    Ok(Row {
        server: server.name(),
        own,
        ssp_to_xmpp,
        xmpp_to_ssp,
        presence,
        room,
        kib_per_10k_subscriptions,
        kib_per_1k_occupants,
        rss_kib: stage.gateway.process().rss_kib(),
    })
}

/// From one bare component to the other.
async fn across(stage: &mut Stage, args: &Gateway, count: u64) -> Result<(), Failure> {
    let mut ears = stage.users.ears();
    let before = stage.users.heard().messages;
    let message = |number: u64| {
        format!(
            "<message from='alice@other.test' to='bob@{XMPP}' type='chat' id='o{number}'><body>{TEXT}</body></message>"
        )
    };
    say_all(
        &mut stage.other,
        message,
        count,
        args.window,
        async |least| ears.until(|heard| heard.messages - before >= least).await,
    )
    .await
}

/// Has a component say so many things, with at most `window` more than `reached` has waited for.
async fn say_all(
    bare: &mut Bare,
    make: impl Fn(u64) -> String,
    count: u64,
    window: u64,
    mut reached: impl AsyncFnMut(u64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let step = (window / 2).max(1);
    let mut said = 0;
    while said < count {
        let next = (said + step).min(count);
        let mut text = String::new();
        for number in said..next {
            text += &make(number);
        }
        bare.say(&text).await?;
        said = next;
        // Half of the window is under way while the other half is written.
        reached(said.saturating_sub(step)).await?;
    }
    reached(count).await
}

async fn to_xmpp(stage: &mut Stage, args: &Gateway, count: u64) -> Result<(), Failure> {
    let mut ears = stage.users.ears();
    let before = stage.users.heard().messages;
    let bob = Recipient::User(User::new(Address::user("bob", XMPP)));
    stage.village.send_to(&bob, count, args.window).await?;
    ears.until(|heard| heard.messages - before >= count).await
}

async fn to_ssp(stage: &mut Stage, args: &Gateway, count: u64) -> Result<(), Failure> {
    let step = (args.window / 2).max(1);
    let before = stage.village.received();
    let mut said = 0;
    while said < count {
        let next = (said + step).min(count);
        let mut text = String::new();
        for number in said..next {
            let _ = write!(
                text,
                "<message from='bob@{XMPP}/x' to='alice@{SSP}' type='chat' id='x{before}-{number}'><body>{TEXT}</body></message>"
            );
        }
        stage.users.say(&text).await?;
        said = next;
        let least = before + said.saturating_sub(step);
        stage
            .village
            .until(|village| village.received() >= least)
            .await?;
    }
    stage
        .village
        .until(|village| village.received() >= before + count)
        .await
}

/// The price of a status, and KiB for 10 000 subscriptions.
async fn presence(stage: &mut Stage, args: &Gateway, own: &Own) -> Result<(Price, f64), Failure> {
    let (watchers, all) = (args.watchers, args.watchers + args.subscriptions);
    subscribe(stage, 0..watchers, "alice").await?;
    let rss = stage.gateway.process().rss_kib();
    subscribe(stage, watchers..all, "carol").await?;
    let grown = stage.gateway.process().rss_kib().saturating_sub(rss);
    let mut ears = stage.users.ears();
    status(stage, watchers, 0)?;
    // Each is told that the subscription is granted, and what there is to see.
    let mut expected = stage.users.heard().presences;
    expected += 2 * watchers;
    carry(stage, &mut ears, expected).await?;
    let begun = Begun::now(stage);
    let mut told = Duration::ZERO;
    for change in 1..=args.changes {
        tokio::time::sleep(APART).await;
        let at = Instant::now();
        status(stage, watchers, change)?;
        expected += watchers;
        carry(stage, &mut ears, expected).await?;
        told += at.elapsed();
    }
    let count = args.changes * watchers;
    let mut price = begun.price(stage, count, own);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (count, subscriptions) = (count as f64, args.subscriptions.max(1) as f64);
    price.per_second = count / told.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let kib = grown as f64 / subscriptions * 10_000.0;
    Ok((price, kib))
}

/// Has users subscribe to an SSP user.
async fn subscribe(
    stage: &mut Stage,
    users: std::ops::Range<u64>,
    whom: &str,
) -> Result<(), Failure> {
    let before = stage.village.subscribed();
    let first = users.start;
    let mut asked = users.start;
    while asked < users.end {
        let next = (asked + AT_ONCE).min(users.end);
        let mut text = String::new();
        for number in asked..next {
            let _ = write!(
                text,
                "<presence type='subscribe' from='w{number}@{XMPP}' to='{whom}@{SSP}'/>"
            );
        }
        stage.users.say(&text).await?;
        asked = next;
        let least = before + asked - first;
        stage
            .village
            .until(|village| village.subscribed() >= least)
            .await?;
    }
    Ok(())
}

/// Tells all watchers a status.
fn status(stage: &mut Stage, watchers: u64, number: u64) -> Result<(), Failure> {
    let mut text = String::from("<PresenceNotification>");
    for watcher in 0..watchers {
        let _ = write!(text, "<User userID='wv:w{watcher}@{XMPP}'/>");
    }
    let _ = write!(
        text,
        "<PresenceValue userID='wv:alice@{SSP}'><PresenceSubList><OnlineStatus><Qualifier>T</Qualifier>\
         <PresenceValue>T</PresenceValue></OnlineStatus><StatusText><Qualifier>T</Qualifier>\
         <PresenceValue>status {number}</PresenceValue></StatusText></PresenceSubList></PresenceValue></PresenceNotification>"
    );
    let primitive = match primitive(&text)? {
        Primitive::PresenceNotification(mut notice) => {
            notice.meta = Some(MetaInfo::of_server(SSP));
            Primitive::PresenceNotification(notice)
        }
        other => other,
    };
    stage.village.tell(&primitive);
    Ok(())
}

/// Lets the SSP side work until so many presences have come over XMPP.
async fn carry(stage: &mut Stage, ears: &mut Ears, presences: u64) -> Result<(), Failure> {
    let village = stage.village.until(|_| false);
    tokio::select! {
        ended = village => ended,
        heard = ears.until(|heard| heard.presences >= presences) => heard,
    }
}

/// The price of a message in a group, and KiB for 1000 who are there.
async fn room(stage: &mut Stage, args: &Gateway, own: &Own) -> Result<(Price, f64), Failure> {
    let mut ears = stage.users.ears();
    let rss = stage.gateway.process().rss_kib();
    // Each who enters hears what is talked about at last.
    let mut expected = stage.users.heard().messages;
    let mut entered = 0;
    while entered < args.occupants {
        let next = (entered + AT_ONCE).min(args.occupants);
        let mut text = String::new();
        for number in entered..next {
            let _ = write!(
                text,
                "<presence from='w{number}@{XMPP}/x' to='bob\\2fparty@{SSP}/n{number}'>\
                 <x xmlns='http://jabber.org/protocol/muc'/></presence>"
            );
        }
        stage.users.say(&text).await?;
        expected += next - entered;
        entered = next;
        hear(stage, &mut ears, expected).await?;
    }
    let grown = stage.gateway.process().rss_kib().saturating_sub(rss);
    // What they are shown of each other comes to an end.
    let mut shown = stage.users.heard().presences;
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = stage.users.heard().presences;
        if std::mem::replace(&mut shown, now) == now {
            break;
        }
    }
    let mut recipients = String::new();
    for number in 0..args.occupants {
        let _ = write!(
            recipients,
            "<Recipient><User userID='wv:w{number}@{XMPP}'/></Recipient>"
        );
    }
    let group = format!("wv:bob/party@{SSP}");
    let begun = Begun::now(stage);
    for number in 0..args.room_messages {
        let text = format!(
            "<SendMessageRequest deliveryReport='No'><MessageInfo messageID='g{number}' contentType='text/plain'>\
             {recipients}<Sender><GroupID groupID='{group}'/><SenderDisplay><ScreenName groupID='{group}'>Vicky\
             </ScreenName></SenderDisplay></Sender></MessageInfo><ContentData contentType='text/plain'>{TEXT}\
             </ContentData></SendMessageRequest>"
        );
        if let Primitive::SendMessageRequest(mut message) = primitive(&text)? {
            message.meta = Some(MetaInfo::of_user(SSP, Address::user("bob", SSP)));
            stage.village.tell(&Primitive::SendMessageRequest(message));
        }
        expected += args.occupants;
        hear(stage, &mut ears, expected).await?;
    }
    let price = begun.price(stage, args.room_messages * args.occupants, own);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let kib = grown as f64 / args.occupants.max(1) as f64 * 1000.0;
    Ok((price, kib))
}

/// Lets the SSP side work until so many messages have come over XMPP.
async fn hear(stage: &mut Stage, ears: &mut Ears, messages: u64) -> Result<(), Failure> {
    let village = stage.village.until(|_| false);
    tokio::select! {
        ended = village => ended,
        heard = ears.until(|heard| heard.messages >= messages) => heard,
    }
}

fn primitive(text: &str) -> Result<Primitive, Failure> {
    let unread = || Failure::Failed("what is to be sent cannot be read".to_owned());
    let limits = Limits {
        texts: crate::imps::xml::Texts::UNLIMITED,
        ..Limits::STANDARD
    };
    let node = parse(text.as_bytes(), &limits).map_err(|_| unread())?;
    Primitive::read(&node).map_err(|_| unread())
}
