//! `wvgate services`: who provides what to whom, what peers offer, and what was agreed.

use clap::Args;
use serde_json::Value;

use super::output::{self, Format, aligned, field, functions, time_field};
use super::{Failure, Global};
use crate::admin::Request;

#[derive(Args)]
#[command(after_help = "\
Three tables: which domain provides what to the users of a home domain, and by which next
hop; what peers offer, who says so and until when that is believed; and what may be used in
each direction, by agreement or without one.

What a peer offers is asked when a session comes up and once an hour while it stands. A
function it answers with 405 is taken out. Functions are names of the service tree; the
name of a feature or group stands for all that is in it.

Examples:
  wvgate services
  wvgate services relay.test --discover
  wvgate services relay.test --of village.test   a domain behind the relay
  wvgate services --format json | jq '.peers[] | {domain, offers}'")]
pub(super) struct Services {
    /// Only what concerns this peer
    peer: Option<String>,
    /// Ask the peer now, and wait for its answer
    #[arg(long, visible_alias = "refresh", requires = "peer")]
    discover: bool,
    /// Ask the peer about a domain that is reached through it
    #[arg(long, value_name = "DOMAIN", requires = "peer")]
    of: Option<String>,
    /// Seconds to wait for the answer
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    timeout: u64,
    /// Columns for people, or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn services(global: &Global, args: Services) -> Result<(), Failure> {
    let request = match (args.peer, args.of) {
        (Some(peer), of) if args.discover || of.is_some() => Request::Discover {
            peer,
            of,
            timeout: args.timeout,
        },
        (peer, _) => Request::Services { peer },
    };
    let table = global.connect().await?.ask(&request).await?;
    if args.format == Format::Json {
        return output::json(&table);
    }
    let peers = rows(&table["peers"]);
    let mut parts = vec![
        providers(rows(&table["providers"])),
        offers(peers),
        agreements(peers),
    ];
    parts.retain(|part| part.len() > 1);
    if parts.is_empty() {
        return output::line("no peers, and nothing is served here");
    }
    let parts: Vec<String> = parts.iter().map(|part| aligned(part)).collect();
    output::print(&parts.join("\n"))
}

fn rows(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn heading<const N: usize>(names: [&str; N]) -> Vec<Vec<String>> {
    vec![names.map(str::to_owned).to_vec()]
}

fn providers(rows: &[Value]) -> Vec<Vec<String>> {
    let mut table = heading(["USERS OF", "FUNCTIONS", "PROVIDED BY", "NEXT HOP"]);
    for row in rows {
        let via = match row["via"].as_str() {
            Some("local") => "this node",
            Some("xmpp") => "XMPP",
            Some(peer) => peer,
            None => "none: a [[route]] is missing",
        };
        table.push(vec![
            field(row, "home"),
            functions(row, "functions"),
            field(row, "pse"),
            via.to_owned(),
        ]);
    }
    table
}

fn offers(rows: &[Value]) -> Vec<Vec<String>> {
    let mut table = heading([
        "PEER",
        "DOMAIN",
        "SAYS",
        "LEARNT",
        "BELIEVED UNTIL",
        "OFFERS",
    ]);
    for row in rows {
        let source = match (row["source"].as_str(), row["problem"].as_str()) {
            (Some("discovered"), _) => "the peer".to_owned(),
            (Some("dialect"), _) => "built-in tree of the dialect".to_owned(),
            (_, Some(problem)) => format!("nothing: {problem}"),
            _ => "not asked yet".to_owned(),
        };
        let mut offers = functions(row, "offers");
        if !self::rows(&row["refused"]).is_empty() {
            let without = format!(" (answered with 405: {})", field(row, "refused"));
            offers.push_str(&without);
        }
        table.push(vec![
            field(row, "peer"),
            field(row, "domain"),
            source,
            time_field(row, "seen"),
            time_field(row, "known_until"),
            offers,
        ]);
    }
    table
}

/// Two rows per peer: what it may use here, and we there.
fn agreements(rows: &[Value]) -> Vec<Vec<String>> {
    let mut table = heading(["PEER", "MAY USE", "AGREEMENT", "EXPIRES", "FUNCTIONS"]);
    let mut seen: Vec<&Value> = Vec::new();
    for row in rows {
        if seen.contains(&&row["peer"]) {
            continue;
        }
        seen.push(&row["peer"]);
        let peer = field(row, "peer");
        let granted = match &row["granted"] {
            Value::Null => [
                "none; its record offers this".to_owned(),
                "-".to_owned(),
                functions(row, "usable"),
            ],
            agreement => concluded(agreement),
        };
        let obtained = match &row["obtained"] {
            Value::Null => missing(row),
            agreement => concluded(agreement),
        };
        for (direction, cells) in [("it here", granted), ("we there", obtained)] {
            let mut line = vec![peer.clone(), direction.to_owned()];
            line.extend(cells);
            table.push(line);
        }
    }
    table
}

fn concluded(agreement: &Value) -> [String; 3] {
    let mut id = field(agreement, "id");
    if agreement["renewal_due"] == true {
        id.push_str(" (to be renewed)");
    }
    let expires = time_field(agreement, "expires");
    [id, expires, functions(agreement, "functions")]
}

fn missing(row: &Value) -> [String; 3] {
    let nothing = "-".to_owned();
    if rows(&row["wants"]).is_empty() {
        let why = "none; not negotiated";
        return [why.to_owned(), nothing, "whatever it offers".to_owned()];
    }
    let why = match row["next_try"].as_u64() {
        Some(_) => format!("none yet; asked again {}", time_field(row, "next_try")),
        None => "none yet; asked for when a session is up".to_owned(),
    };
    let wants = format!("wanted: {}", functions(row, "wants"));
    [why, nothing, wants]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_agreement_says_why() {
        let row = |wants: &[&str], next: Value| json!({"wants": wants, "next_try": next});
        assert!(missing(&row(&[], Value::Null))[0].contains("not negotiated"));
        assert!(missing(&row(&["IMFeat"], Value::Null))[0].contains("when a session is up"));
        let again = missing(&row(&["IMFeat"], json!(3_600_000)));
        assert!(again[0].ends_with("asked again 1970-01-01 01:00:00"));
        assert_eq!(again[2], "wanted: IMFeat");
    }

    #[test]
    fn a_peer_with_many_domains_has_two_agreement_rows() {
        let row = |domain: &str| {
            json!({"peer": "relay.test", "domain": domain, "usable": ["IMFeat"],
                "granted": {"id": "agr-1", "functions": ["SENDM"], "expires": 0, "renewal_due": true},
                "obtained": null, "wants": []})
        };
        let table = agreements(&[row("relay.test"), row("a.test")]);
        assert_eq!(table.len(), 3);
        assert_eq!(table[1][2], "agr-1 (to be renewed)");
        assert_eq!(offers(&[row("relay.test"), row("a.test")]).len(), 3);
    }
}
