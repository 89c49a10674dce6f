# For scripts that install what is missing; to be read by them with `.`, not run.

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "$0: this needs root: $*" >&2
        exit 1
    fi
}

# Installs packages of Debian, and nothing that they only recommend.
install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "$0: please install by hand: $*" >&2
        exit 1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

# The same, of packages that bring services: they are not started while they are installed.
install_quiet_packages() {
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    install_packages "$@"
}
