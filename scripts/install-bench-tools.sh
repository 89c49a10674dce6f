#!/bin/sh
# Installs the reverse proxies that `wvgate bench relay --beside` measures, from Debian's packages.
# Neither is started: the benchmark starts its own, on free ports of the loopback.
set -eu

missing=""
for tool in nginx haproxy; do
    command -v "$tool" >/dev/null 2>&1 || [ -x "/usr/sbin/$tool" ] || missing="$missing $tool"
done
if [ -z "$missing" ]; then
    echo "nginx and haproxy are there"
    exit 0
fi

packages=$(echo "$missing" | sed 's/nginx/nginx-light/')
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
