-- Prosody for docker-compose.yml. Not for production: no TLS for clients, plain passwords.
-- The component port is reached by the other containers only.

pidfile = "/var/lib/prosody/prosody.pid"
data_path = "/var/lib/prosody"
log = { info = "*console" }

c2s_ports = { 5222 }
c2s_direct_tls_ports = {}
s2s_ports = {}
http_ports = {}
https_ports = {}
component_ports = { 5347 }
component_interfaces = { "0.0.0.0" }

c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
storage = "internal"

modules_enabled = {
	"roster", "saslauth", "disco", "ping", "offline", "presence", "message", "iq",
	"version", "time", "private", "blocklist", "pep", "vcard_legacy", "posix",
}
modules_disabled = { "s2s", "tls" }

VirtualHost "xmpp.test"
Component "village.test"
	component_secret = "demo"
Component "conference.xmpp.test" "muc"
