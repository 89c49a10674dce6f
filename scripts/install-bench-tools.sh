#!/bin/sh
# Installs what is measured beside this program, from Debian's packages: the reverse proxies of
# `wvgate bench relay --beside`, the XMPP servers of `wvgate bench home --beside`. None is started:
# the benchmark starts its own, on free ports of the loopback.
set -eu

packages=""
for tool in nginx:nginx-light haproxy:haproxy prosody:prosody ejabberdctl:ejabberd; do
    command=${tool%%:*}
    command -v "$command" >/dev/null 2>&1 || [ -x "/usr/sbin/$command" ] ||
        packages="$packages ${tool#*:}"
done
if [ -z "$packages" ]; then
    echo "nginx, haproxy, prosody and ejabberd are there"
    exit 0
fi

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    as_root=sudo
fi
# Debian starts a service as soon as it is installed, unless this says no.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    made=yes
fi
trap '[ -z "$made" ] || $as_root rm -f "$policy"' EXIT
$as_root apt-get update -q
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -q --no-install-recommends $packages
