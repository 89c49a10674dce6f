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

cd "$(dirname "$0")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
# shellcheck disable=SC2086 # a list of package names
install_quiet_packages $packages
