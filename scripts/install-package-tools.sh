#!/bin/sh
# Installs what making and testing the packages needs and what is not there yet: lintian,
# mmdebstrap, systemd-analyze and dpkg-dev by apt, and cargo-deb in target/tools.
# Run it as root or as a user who may use sudo. Running it again changes nothing.
set -eu

cargo_deb_version=3.8.0
cd "$(dirname "$0")/.."
tools=${CARGO_TARGET_DIR:-target}/tools

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

missing=
command -v lintian >/dev/null || missing="lintian"
command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v dpkg-shlibdeps >/dev/null || missing="$missing dpkg-dev"
command -v python3 >/dev/null || missing="$missing python3"
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "$0: please install by hand: $missing" >&2
        exit 1
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    # shellcheck disable=SC2086 # a list of package names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi

if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "$cargo_deb_version" ]; then
    # It packs now and then: a debug build is there sooner, and xz compresses for it.
    CARGO_PROFILE_DEV_DEBUG=0 "${CARGO:-cargo}" install --quiet --debug --locked --no-default-features \
        --root "$tools" "cargo-deb@$cargo_deb_version"
fi

echo "package tools: cargo-deb $cargo_deb_version in $tools, $(command -v lintian), $(command -v mmdebstrap)"
