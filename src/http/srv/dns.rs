//! DNS as a source of SRV answers. Its servers are read anew when the file that names them has
//! changed or they have not answered; aliases of the name asked for are followed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;

use super::{KEEP, Lookup, SrvAnswer, SrvError, SrvRecord, SrvSource};
use crate::http::cause_chain;

/// Aliases that are followed from the name asked for.
const MAX_ALIASES: usize = 8;

/// The system's DNS, or named servers.
pub(super) struct Dns {
    servers: Servers,
    /// As configured by the file at that time of its last change.
    resolver: tokio::sync::Mutex<Option<(Option<SystemTime>, TokioResolver)>>,
}

enum Servers {
    /// What a file in the form of `/etc/resolv.conf` names.
    File(PathBuf),
    /// These servers, by UDP.
    Named(Vec<SocketAddr>),
}

impl Dns {
    /// One that asks the servers that a file in the form of `/etc/resolv.conf` names.
    pub(super) fn configured_by(file: &Path) -> Self {
        Self::of(Servers::File(file.to_owned()))
    }

    /// One that asks these servers, by UDP.
    pub(super) fn asking(servers: &[SocketAddr]) -> Self {
        Self::of(Servers::Named(servers.to_vec()))
    }

    fn of(servers: Servers) -> Self {
        Self {
            servers,
            resolver: tokio::sync::Mutex::default(),
        }
    }

    /// The resolver for the servers as they are configured now.
    async fn resolver(&self, name: &str) -> Result<TokioResolver, SrvError> {
        let changed = match &self.servers {
            Servers::File(file) => std::fs::metadata(file)
                .and_then(|file| file.modified())
                .ok(),
            Servers::Named(_) => None,
        };
        let mut made = self.resolver.lock().await;
        if let Some((at, resolver)) = &*made
            && *at == changed
        {
            return Ok(resolver.clone());
        }
        let resolver = self.make().map_err(|reason| SrvError::Broken {
            name: name.to_owned(),
            reason,
        })?;
        *made = Some((changed, resolver.clone()));
        Ok(resolver)
    }

    fn make(&self) -> Result<TokioResolver, String> {
        let build = |config, options| {
            let mut builder =
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            *builder.options_mut() = options;
            builder.build().map_err(|error| cause_chain(&error))
        };
        match &self.servers {
            Servers::File(file) => {
                let text = std::fs::read(file)
                    .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
                let (config, options) = parse_resolv_conf(text)
                    .map_err(|error| format!("{}: {}", file.display(), cause_chain(&error)))?;
                build(config, options)
            }
            Servers::Named(servers) => {
                let by_udp = |server: &SocketAddr| {
                    let mut by_udp = ConnectionConfig::udp();
                    by_udp.port = server.port();
                    NameServerConfig::new(server.ip(), true, vec![by_udp])
                };
                let servers = servers.iter().map(by_udp).collect();
                let config = ResolverConfig::from_parts(None, vec![], servers);
                build(config, ResolverOpts::default())
            }
        }
    }
}

impl SrvSource for Dns {
    fn lookup<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        Box::pin(async move {
            let resolver = self.resolver(name).await?;
            let mut at = name.to_owned();
            for _ in 0..MAX_ALIASES {
                let error = match resolver.srv_lookup(at.as_str()).await {
                    Ok(lookup) => match answer(lookup.answers()) {
                        Some(answer) => return Ok(answer),
                        None => None,
                    },
                    Err(error) => Some(explain(name, &error)),
                };
                match error {
                    // There may be an alias: the resolver follows those of addresses only.
                    None | Some(SrvError::NoRecords { .. }) => {}
                    Some(error) => {
                        if matches!(error, SrvError::Broken { .. }) {
                            // The servers may be others by now, without the file's time telling.
                            *self.resolver.lock().await = None;
                        }
                        return Err(error);
                    }
                }
                let aliases = resolver.lookup(at.as_str(), RecordType::CNAME).await;
                let alias = aliases.ok().and_then(|aliases| {
                    aliases
                        .answers()
                        .iter()
                        .find_map(|record| match &record.data {
                            RData::CNAME(alias) => Some(alias.0.to_ascii()),
                            _ => None,
                        })
                });
                match alias {
                    Some(alias) if alias != at => at = alias,
                    _ => break,
                }
            }
            Err(SrvError::NoRecords {
                name: name.to_owned(),
            })
        })
    }
}

/// The SRV records of an answer, if there are any.
fn answer(records: &[Record]) -> Option<SrvAnswer> {
    let mut ttl = *KEEP.end();
    let mut found = Vec::new();
    for record in records {
        if let RData::SRV(srv) = &record.data {
            ttl = ttl.min(Duration::from_secs(record.ttl.into()));
            found.push(SrvRecord {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_ascii().trim_end_matches('.').to_owned(),
            });
        }
    }
    (!found.is_empty()).then_some(SrvAnswer {
        records: found,
        ttl,
    })
}

fn explain(name: &str, error: &NetError) -> SrvError {
    let name = name.to_owned();
    if error.is_nx_domain() {
        SrvError::NoSuchName { name }
    } else if error.is_no_records_found() {
        SrvError::NoRecords { name }
    } else {
        SrvError::Broken {
            name,
            reason: cause_chain(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_dns_is_told_from_an_absent_domain() {
        let broken = explain(
            "_imps-server._tcp.a.",
            &NetError::from("servers are asleep"),
        );
        assert!(matches!(&broken, SrvError::Broken { .. }));
        assert!(broken.to_string().contains("asleep"));
    }
}
