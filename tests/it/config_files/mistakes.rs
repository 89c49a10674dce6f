//! One mistake after the other in a small configuration, and what is printed for each.

/// A small valid configuration.
pub(super) const BASE: &str = r#"[node]
domain = "relay.test"
[ssp]
listen = "127.0.0.1:5280"
plain = true
[[peer]]
domain = "village.test"
allow_plain = true
[[route]]
domain = "*"
via = "village.test"
[admin]
listen = "127.0.0.1:9280"
"#;

/// What is replaced in `BASE` (nothing: appended), by what, and the line that is printed.
pub(super) const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "[ssp]",
        "shards = 65\n[ssp]",
        "a.toml:3: node.shards: is no number of shards that a node can have; write a number from 1 to 64, or leave it out",
    ),
    (
        "[ssp]",
        "drain_timeout = \"61m\"\n[ssp]",
        "a.toml:3: node.drain_timeout: \"61m\" is too long to wait for an end; write \"1h\" or less",
    ),
    (
        "allow_plain = true",
        "url = \"https://me:secret@village.test:5280/ssp\"",
        "a.toml:8: peer.url: holds a user, and perhaps a password, which SSP has no use for; write \"https://village.test:5280/ssp\"; what proves who we are is password or client_certificate",
    ),
    (
        "[admin]",
        "[trace]\nmax_bytes = \"1B\"\n[admin]",
        "a.toml:13: trace.max_bytes: is too small to be of use; write at least \"1MiB\", or keep = \"0s\" to keep nothing",
    ),
    (
        "[admin]",
        "[log]\nlevel = \"notice\"\n[admin]",
        "a.toml:13: log.level: \"notice\" is not a level; did you mean \"info\"?",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nfrom = [\"192.0.2.0/24\", \"192.0.2.7/24\"]",
        "a.toml:9: peer.from: \"192.0.2.7/24\" is not an address or network; write it like \"192.0.2.7\", \"192.0.2.0/24\" or \"2001:db8::/32\"",
    ),
    // shape
    (
        "listen = \"127.0.0.1:5280\"",
        "lisen = \"127.0.0.1:5280\"",
        "a.toml:4: ssp.lisen: unknown key; did you mean \"listen\"?",
    ),
    (
        "[[route]]",
        "[[routes]]",
        "a.toml:9: routes: unknown key; did you mean \"route\"?",
    ),
    (
        "[[peer]]",
        "[peer]",
        "a.toml:6: peer: must be a list of tables, not a table; write [[peer]] instead of [peer]",
    ),
    (
        "[ssp]",
        "[[ssp]]",
        "a.toml:3: ssp: must be one table, not a list; write [ssp] instead of [[ssp]]",
    ),
    (
        "plain = true\n[[",
        "plain = 1\n[[",
        "a.toml:5: ssp.plain: must be true or false, not 1; write plain = true or plain = false",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_depth = \"32\"\n[[",
        "a.toml:6: ssp.max_depth: must be a whole number from 0 upwards, not \"32\"; write max_depth = 100, without quotes",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_depth = -1\n[[",
        "a.toml:6: ssp.max_depth: must be a whole number from 0 upwards, not -1; write max_depth = 100, without quotes",
    ),
    (
        "plain = true\n[[",
        "plain = true\nidle_timeout = 60\n[[",
        "a.toml:6: ssp.idle_timeout: must be a time with its unit, such as \"30s\", not 60; write idle_timeout = \"60s\"",
    ),
    (
        "plain = true\n[[",
        "plain = true\nidle_timeout = \"60 sec\"\n[[",
        "a.toml:6: ssp.idle_timeout: \"60 sec\" is not a time; write it like \"30s\" (units: ms, s, m, h, d, w)",
    ),
    (
        "plain = true\n[[",
        "plain = true\nidle_timeout = true\n[[",
        "a.toml:6: ssp.idle_timeout: must be a time with its unit, such as \"30s\", not true; put it in double quotes",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_message = \"1M\"\n[[",
        "a.toml:6: ssp.max_message: \"1M\" is not a size; write it like \"1MiB\" (units: B, KiB, MiB, GiB)",
    ),
    (
        "127.0.0.1:5280",
        "localhost:5280",
        "a.toml:4: ssp.listen: \"localhost:5280\" is not an IP address with its port; write it like \"127.0.0.1:5280\"",
    ),
    (
        "plain = true\n[[",
        "plain = true\nclient_certificates = \"required\"\n[[",
        "a.toml:6: ssp.client_certificates: \"required\" is not known; write \"none\" or \"request\" or \"require\"",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\naliases = \"v.test\"",
        "a.toml:9: peer.aliases: must be a list, not \"v.test\"; write aliases = [\"...\"]",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\naliases = [\n \"v.test\",\n 7]",
        "a.toml:11: peer.aliases: must be text, not 7; put it in double quotes",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\npassword = 7",
        "a.toml:9: peer.password: must be a secret: \"text\" or { file = \"path\" }; put it in double quotes",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\npassword = { fil = \"x\" }",
        "a.toml:9: peer.password.fil: unknown key; did you mean \"file\"?",
    ),
    // syntax
    (
        "\"relay.test\"",
        "relay.test",
        "a.toml:2: node.domain: invalid string, expected `\"`, `'`; put text in double quotes",
    ),
    (
        "plain = true\n[[",
        "plain = true\nplain = true\n[[",
        "a.toml:6: ssp.plain: duplicate key `plain` in table `ssp`; remove one of them",
    ),
    (
        "[ssp]",
        "[ssp",
        "a.toml:3: syntax: invalid table header, expected `.`, `]`; write key = value, or a [section]",
    ),
    // node and domains
    (
        "domain = \"relay.test\"\n",
        "",
        "a.toml:1: node.domain: missing; add domain = \"...\"",
    ),
    (
        "\"relay.test\"",
        "\"Relay.Test\"",
        "a.toml:2: node.domain: \"Relay.Test\" has capital letters; write \"relay.test\"",
    ),
    (
        "\"relay.test\"",
        "\"wv:@relay.test\"",
        "a.toml:2: node.domain: \"wv:@relay.test\" is not a domain; write \"relay.test\"",
    ),
    (
        "\"relay.test\"",
        "\"bücher.test\"",
        "a.toml:2: node.domain: \"bücher.test\" is not in its ASCII form; write \"xn--bcher-kva.test\"",
    ),
    // ssp
    (
        "plain = true\n[[",
        "[[",
        "a.toml:3: ssp.certificate: missing, and plain HTTP is off: nothing could be served; add certificate and key, or plain = true",
    ),
    (
        "plain = true\n[[",
        "plain = true\ncertificate = \"DIR/a.toml\"\n[[",
        "a.toml:6: ssp.certificate: needs key as well; add key = \"...\"",
    ),
    (
        "plain = true\n[[",
        "plain = true\ncertificate = \"DIR/a.toml\"\nkey = \"DIR/x.key\"\n[[",
        "a.toml:7: ssp.key: there is no file \"x.key\"; put the private key (PEM) there; for tests, make one with: wvgate init",
    ),
    (
        "plain = true\n[[",
        "plain = true\nidle_timeout = \"0s\"\n[[",
        "a.toml:6: ssp.idle_timeout: must be longer than nothing; write it like \"30s\"",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_message = \"1KiB\"\n[[",
        "a.toml:6: ssp.max_message: \"1KiB\" is too small; write \"4KiB\" or more",
    ),
    (
        "plain = true\n[[",
        "plain = true\nmax_queue = 0\n[[",
        "a.toml:6: ssp.max_queue: 0 is too small; write 1 or more",
    ),
    (
        "plain = true\n[[",
        "plain = true\nclient_ca = \"DIR/a.toml\"\n[[",
        "a.toml:6: ssp.client_ca: is never used: peers are not asked for certificates; add client_certificates = \"request\" or \"require\"",
    ),
    // peers
    (
        "\"village.test\"\nallow",
        "\"relay.test\"\nallow",
        "a.toml:7: peer.domain: \"relay.test\" is this node's own domain (node.domain); name the other side's domain\na.toml:11: route.via: there is no peer \"village.test\"; add a [[peer]] with domain = \"village.test\"",
    ),
    (
        "[[route]]",
        "[[peer]]\ndomain = \"village.test\"\nallow_plain = true\n[[route]]",
        "a.toml:10: peer.domain: \"village.test\" is a peer already (line 7); remove one of them",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nprofiles = \"all\"",
        "a.toml:9: peer.profiles: \"all\" is not known; write \"none\" or \"read\" or \"write\"",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nspeaks_for = [\"relay.test\"]",
        "a.toml:9: peer.speaks_for: \"relay.test\" is this node's own domain; remove it",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nfronts = [\"village.test\"]",
        "a.toml:9: peer.fronts: \"village.test\" is reached through this very peer; remove it",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nfronts = [\"a.test\"]",
        "a.toml:9: peer.fronts: \"a.test\" is reached through this very peer; remove it",
    ),
    (
        "allow_plain = true\n[[route]]\ndomain = \"*\"",
        "allow_plain = true\nfronts = [\"a.test\", \"b.test\", \"a.test\"]\n[[route]]\ndomain = \"c.test\"",
        "a.toml:9: peer.fronts: \"a.test\" is listed twice; remove it",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nfronts = [\"relay.test\"]",
        "a.toml:9: peer.fronts: \"relay.test\" is this node's own domain; remove it",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nclient_certificate = \"DIR/a.toml\"",
        "a.toml:9: peer.client_certificate: needs client_key as well; add client_key = \"...\"",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nurl = \"village.test:5280\"",
        "a.toml:9: peer.url: \"village.test:5280\" is not an http or https address; write it like \"https://village.test:5280/\"",
    ),
    (
        "allow_plain = true",
        "url = \"http://village.test/\"",
        "a.toml:8: peer.url: is plain HTTP, which this peer is not allowed; write https://, or add allow_plain = true",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nca = \"DIR/ca.pem\"",
        "a.toml:9: peer.ca: there is no file \"ca.pem\"; put the CA's certificate (PEM) there, or name another file",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\npassword = { file = \"DIR/pw\" }",
        "a.toml:9: peer.password: there is no file \"pw\"; make it with: (umask 077; printf %s SECRET > pw)",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\ndialect = \"../x\"",
        "a.toml:9: peer.dialect: \"../x\" is not a dialect's name; write the name of a file in mappings/dialects without its ending",
    ),
    (
        "allow_plain = true",
        "allow_plain = true\nclient_name = \"village.test\"",
        "a.toml:9: peer.client_name: is never checked: peers are not asked for certificates; add client_certificates = \"request\" and client_ca to [ssp]",
    ),
    // routes
    (
        "via = \"village.test\"",
        "via = \"vilage.test\"",
        "a.toml:11: route.via: there is no peer \"vilage.test\"; did you mean \"village.test\"?",
    ),
    (
        "via = \"village.test\"",
        "via = \"local\"",
        "a.toml:11: route.via: \"local\" needs the home domain; add [home], or name a peer",
    ),
    (
        "via = \"village.test\"",
        "via = \"xmpp\"",
        "a.toml:11: route.via: \"xmpp\" needs the gateway; add [xmpp], or name a peer",
    ),
    (
        "via = \"village.test\"\n",
        "",
        "a.toml:9: route.via: missing; add via = \"...\": a peer's domain, \"local\" or \"xmpp\"",
    ),
    (
        "domain = \"*\"",
        "domain = \"*.test\"",
        "a.toml:10: route.domain: \"*.test\" is not a domain; write each domain, or \"*\" for all others",
    ),
    (
        "[admin]",
        "[[route]]\ndomain = \"*\"\nvia = \"village.test\"\n[admin]",
        "a.toml:13: route.domain: \"*\" has a route already (line 10); remove one of them",
    ),
    (
        "domain = \"*\"",
        "domain = \"relay.test\"",
        "a.toml:10: route.domain: \"relay.test\" is this node's own domain and cannot be routed elsewhere; remove the route",
    ),
    // home
    (
        "",
        "[home]\noffline_validity = \"0d\"\n",
        "a.toml:15: home.offline_validity: must be longer than nothing; write it like \"30s\"",
    ),
    (
        "",
        "[[home.user]]\nname = \"wv:alice@relay.test\"\npassword = \"a\"\n",
        "a.toml:15: home.user.name: \"wv:alice@relay.test\" is not the part before the @ alone; write \"alice\"",
    ),
    (
        "",
        "[[home.user]]\nname = \"alice\"\n",
        "a.toml:14: home.user.password: missing; add password = \"...\"",
    ),
    (
        "",
        "[[home.user]]\nname = \"a\"\npassword = \"a\"\n[[home.user]]\nname = \"a\"\npassword = \"a\"\n",
        "a.toml:18: home.user.name: \"a\" is listed twice (line 15); remove one of them",
    ),
    // content
    (
        "",
        "[content]\nurl = \"https://files.test/\"\nlisten = \"127.0.0.1:5281\"\n",
        "a.toml:15: content.url: nobody shares anything: this node has no users; add [home] or [xmpp], or remove [content]",
    ),
    (
        "",
        "[home]\n[content]\nurl = \"files.test\"\n",
        "a.toml:16: content.url: \"files.test\" is not a URL that can be shared; write it like \"https://files.village.example/\"",
    ),
    (
        "",
        "[home]\n[content]\nurl = \"https://files.test/?a=b\"\nlisten = \"127.0.0.1:1\"\n",
        "a.toml:16: content.url: \"https://files.test/?a=b\" has more than a host and a path; write it like \"https://files.village.example/\"",
    ),
    (
        "",
        "[home]\n[content]\nurl = \"https://files.test/\"\nlisten = \"127.0.0.1:5280\"\n",
        "a.toml:17: content.listen: \"127.0.0.1:5280\" is taken by ssp.listen (line 4); give one of them another port",
    ),
    (
        "",
        "[home]\n[content]\nurl = \"https://files.test/\"\nlisten = \"127.0.0.1:1\"\nmax_user_bytes = \"1MiB\"\n",
        "a.toml:18: content.max_user_bytes: \"1MiB\" is too small; write \"16MiB\" or more",
    ),
    (
        "",
        "[home]\n[content]\nurl = \"https://files.test/\"\nlisten = \"127.0.0.1:1\"\ntypes = [\"png\"]\n",
        "a.toml:18: content.types: \"png\" is no media type; write it like \"image/png\" or \"image/*\"",
    ),
    (
        "",
        "[home]\n[content]\nurl = \"https://files.test/\"\nlisten = \"127.0.0.1:1\"\nkeep = \"0s\"\n",
        "a.toml:18: content.keep: must be longer than nothing; write it like \"30s\"",
    ),
    // xmpp
    (
        "",
        "[xmpp]\n",
        "a.toml:14: xmpp.component: missing: the XMPP server knows no domain of this node; add [[xmpp.component]] with domain and secret",
    ),
    (
        "",
        "[xmpp]\nserver = \"localhost\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.server: \"localhost\" is not a host with its port; write it like \"127.0.0.1:5347\"",
    ),
    (
        "",
        "[xmpp]\nserver = \"127.0.0.1:5280\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.server: \"127.0.0.1:5280\" is this node's own ssp.listen (line 4); write the XMPP server's component port, or give the listener another",
    ),
    (
        "",
        "[xmpp]\nmode = \"gateway\"\n[[xmpp.component]]\ndomain = \"a.test\"\nsecret = \"s\"\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.mode: mode \"gateway\" has exactly one component, not 2; remove the others, or write mode = \"names\"",
    ),
    (
        "",
        "[[xmpp.component]]\ndomain = \"relay.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.component.domain: \"relay.test\" is the XMPP server's own domain; name the domain that users of the other side appear under",
    ),
    (
        "",
        "[[xmpp.component]]\ndomain = \"village.test\"\n",
        "a.toml:14: xmpp.component.secret: missing; add secret = \"...\", the same as at the XMPP server",
    ),
    (
        "",
        "[home]\n[xmpp]\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"s\"\n",
        "a.toml:15: xmpp.domain: [home] and [xmpp] would both answer for users of \"relay.test\"; name the XMPP server's domain by domain = \"...\", or remove [home]",
    ),
    (
        "",
        "[xmpp]\ndomain = \"village.test\"\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n",
        "a.toml:7: peer.domain: \"village.test\" is the domain of the XMPP side (xmpp.domain); reach a domain by SSP or by XMPP, not by both",
    ),
    (
        "",
        "[xmpp]\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\nserver = \"localhost\"\n",
        "a.toml:18: xmpp.component.server: \"localhost\" is not a host with its port; write it like \"127.0.0.1:5347\"",
    ),
    (
        "",
        "[xmpp]\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n[[xmpp.policy]]\naccess = \"deny\"\n",
        "a.toml:18: xmpp.policy.domain: missing; add domain = \"...\"",
    ),
    (
        "",
        "[xmpp]\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n[[xmpp.policy]]\ndomain = \"Bad.test\"\n",
        "a.toml:19: xmpp.policy.domain: \"Bad.test\" has capital letters; write \"bad.test\"",
    ),
    (
        "",
        "[xmpp]\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n[[xmpp.policy]]\ndomain = \"b.test\"\n",
        "a.toml:19: xmpp.policy.domain: \"b.test\" is a component of this node; name a domain of the XMPP side",
    ),
    (
        "",
        "[xmpp]\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n[[xmpp.policy]]\ndomain = \"*\"\n[[xmpp.policy]]\ndomain = \"*\"\n",
        "a.toml:21: xmpp.policy.domain: \"*\" has a policy already (line 19); remove one of them",
    ),
    (
        "",
        "[xmpp]\n[[xmpp.component]]\ndomain = \"b.test\"\nsecret = \"s\"\n[[xmpp.policy]]\ndomain = \"*\"\nmax_rate = 0\n",
        "a.toml:20: xmpp.policy.max_rate: must be more than nothing; write access = \"deny\", or a number of stanzas a second",
    ),
    // admin, log, ports
    (
        "127.0.0.1:9280",
        "127.0.0.1:5280",
        "a.toml:13: admin.listen: \"127.0.0.1:5280\" is taken by ssp.listen (line 4); give one of them another port",
    ),
    (
        "127.0.0.1:9280",
        "0.0.0.0:9280",
        "a.toml:13: admin.listen: \"0.0.0.0:9280\" can be reached from other machines; write \"127.0.0.1:9280\", or add public = true",
    ),
    (
        "",
        "[log]\nlevel = \"inof\"\n",
        "a.toml:15: log.level: \"inof\" is not a level; did you mean \"info\"?",
    ),
    (
        "",
        "[log]\nlevel = \"info,wvgate=debg\"\n",
        "a.toml:15: log.level: \"info,wvgate=debg\" is not a filter: error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5; write it like \"info,wvgate::sap=debug\"",
    ),
    // clients
    (
        "",
        "[home]\n[clients]\ndigest_secret = \"0123456789abcdef\"\n[clients.clp]\n",
        "a.toml:17: clients.clp: nobody can log in: passwords are not taken over plain connections; add certificate and key, or plain_login = \"always\" to [clients]",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"never\"\ndigest_secret = \"0123456789abcdef\"\n[clients.clp]\n",
        "a.toml:18: clients.clp: nobody can log in: passwords are not taken; write plain_login = \"tls\" in [clients], or remove it",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.sms]]\nfrom = [\"127.0.0.1\"]\nsecret = \"0123456789abcdef\"\nurl = \"http://127.0.0.1:13013/\"\nusername = \"w\"\npassword = \"p\"\nsender = \"1\"\n",
        "a.toml:17: clients.sms.name: missing; add name = \"...\"",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.sms]]\nname = \"k\"\nfrom = [\"here\"]\nsecret = \"0123456789abcdef\"\nurl = \"http://127.0.0.1:13013/\"\nusername = \"w\"\npassword = \"p\"\nsender = \"1\"\n",
        "a.toml:19: clients.sms.from: \"here\" is no address or network; write it like \"192.0.2.7\" or \"192.0.2.0/24\"",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.sms]]\nname = \"k\"\nfrom = [\"127.0.0.1\"]\nsecret = \"short\"\nurl = \"http://127.0.0.1:13013/\"\nusername = \"w\"\npassword = \"p\"\nsender = \"1\"\n",
        "a.toml:20: clients.sms.secret: is shorter than 16 characters; make one with: openssl rand -hex 16",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.sms]]\nname = \"k\"\nfrom = [\"127.0.0.1\"]\nsecret = \"0123456789abcdef\"\nurl = \"sms:1\"\nusername = \"w\"\npassword = \"p\"\nsender = \"1\"\n",
        "a.toml:21: clients.sms.url: \"sms:1\" is no URL of a gateway; write it like \"http://127.0.0.1:13013/cgi-bin/sendsms\"",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.sms]]\nname = \"k\"\nfrom = [\"127.0.0.1\"]\nsecret = \"0123456789abcdef\"\nurl = \"http://127.0.0.1:13013/\"\nusername = \"w\"\nsender = \"1\"\n",
        "a.toml:17: clients.sms.password: missing; add password = { file = \"...\" }",
    ),
    (
        "",
        "[clients]\nplain_login = \"always\"\n",
        "a.toml:14: clients: nobody can log in: this node has no users; add [home], or remove [clients]",
    ),
    (
        "",
        "[home]\n[clients]\n",
        "a.toml:15: clients.plain_login: no client can log in: neither with its password nor with a digest of it; add certificate and key, or digest_secret, or plain_login = \"always\"",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\nnumber_proxies = [\"192.0.2.7\"]\n",
        "a.toml:17: clients.number_proxies: no header is read from them; add number_header, or remove it",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\nnumber_header = \"a b\"\nnumber_proxies = [\"192.0.2.7\"]\n",
        "a.toml:17: clients.number_header: \"a b\" is no name of a header; write it like \"MSISDN\"",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\nnumber_header = \"MSISDN\"\nnumber_proxies = [\"proxy\"]\n",
        "a.toml:18: clients.number_proxies: \"proxy\" is no address or network; write it like \"192.0.2.7\" or \"192.0.2.0/24\"",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.user]]\nkind = \"android\"\n",
        "a.toml:17: clients.user.name: missing; add name = \"...\"",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.user]]\nname = \"a\"\n[[clients.user]]\nname = \"a\"\n",
        "a.toml:20: clients.user.name: \"a\" is listed twice; remove one of them",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.user]]\nname = \"a\"\nnumber = \"+49\"\n",
        "a.toml:19: clients.user.number: \"+49\" is no number; write 4 to 15 digits, with the country first",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\n[[clients.user]]\nname = \"a\"\nnumber = \"4917012345\"\n",
        "a.toml:19: clients.user.number: nobody says from whose number a request comes; add number_header and number_proxies, or [[clients.sms]], or remove it",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\nwake_host = \"imps.village.test\"\n",
        "a.toml:17: clients.wake_host: there is no channel at that host; add wake_listen, or remove it",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\nurl = \"ftp://village.test/\"\n",
        "a.toml:17: clients.url: \"ftp://village.test/\" is no URL with a host and a path alone; write it like \"https://imps.village.example/\"",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\ndigest_secret = \"short\"\n",
        "a.toml:17: clients.digest_secret: is shorter than 16 characters; make one with: openssl rand -hex 16",
    ),
    (
        "",
        "[home]\n[clients]\nplain_login = \"always\"\nmax_sessions = 0\n",
        "a.toml:17: clients.max_sessions: 0 is too small; write 1 or more",
    ),
    (
        "",
        "[xmpp]\nserver = \"127.0.0.1:5347\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"secret\"\n[xmpp.files]\nfetch = [\"pictures\"]\n",
        "a.toml:20: xmpp.files.fetch: \"pictures\" is no media type; write it like \"image/png\" or \"image/*\"",
    ),
    (
        "",
        "[xmpp]\nserver = \"127.0.0.1:5347\"\n[[xmpp.component]]\ndomain = \"village.test\"\nsecret = \"secret\"\n[xmpp.files]\nfetch_inside = [\"up load\"]\n",
        "a.toml:20: xmpp.files.fetch_inside: \"up load\" is no host; write it like \"upload.xmpp.example\", without a port",
    ),
];
