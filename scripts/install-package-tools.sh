#!/bin/sh
# Installs what making and testing the packages needs and what is not there yet: lintian,
# mmdebstrap, systemd-analyze and dpkg-dev by apt, and cargo-deb in target/tools.
# Run it as root or as a user who may use sudo. Running it again changes nothing.
set -eu

cargo_deb_version=3.8.0
cd "$(dirname "$0")/.."
tools=${CARGO_TARGET_DIR:-target}/tools

# shellcheck source=scripts/packages.sh
. scripts/packages.sh

missing=
command -v lintian >/dev/null || missing="lintian"
command -v mmdebstrap >/dev/null || missing="$missing mmdebstrap"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v dpkg-shlibdeps >/dev/null || missing="$missing dpkg-dev"
command -v python3 >/dev/null || missing="$missing python3"
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # a list of package names
    install_packages $missing
fi

if [ "$("$tools/bin/cargo-deb" --version 2>/dev/null)" != "$cargo_deb_version" ]; then
    # It packs now and then: a debug build is there sooner, and xz compresses for it.
    CARGO_PROFILE_DEV_DEBUG=0 "${CARGO:-cargo}" install --quiet --debug --locked --no-default-features \
        --root "$tools" "cargo-deb@$cargo_deb_version"
fi

echo "package tools: cargo-deb $cargo_deb_version in $tools, $(command -v lintian), $(command -v mmdebstrap)"
