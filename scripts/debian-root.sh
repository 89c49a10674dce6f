#!/bin/sh
# Makes a small Debian of this machine's release, as packages meet it, once: target/package/debian.tar.
# Needs root and a mirror of Debian. Writes the path on its last line.
set -eu

cd "$(dirname "$0")/.."
tar=target/package/debian.tar
if [ ! -e "$tar" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "$0: a root folder of Debian is made by root only" >&2
        exit 1
    fi
    # What is built here runs with the C library of this release or a newer one.
    # shellcheck source=/dev/null
    suite=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME:-}" || true)
    # The way of this release to a merged /usr needs all of Perl; from the start it needs nothing.
    merged=
    if [ "${suite:-bookworm}" = bookworm ]; then
        merged="--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=usr-is-merged"
    fi
    mkdir -p target/package
    rm -f "$tar.part"
    # Translations, and the disk's word for each file, take longer than the rest.
    # shellcheck disable=SC2086 # two arguments, or none
    if ! mmdebstrap --quiet --format=tar --variant=apt --include=adduser,ca-certificates \
        --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt=force-unsafe-io $merged \
        "${suite:-bookworm}" "$tar.part" >&2; then
        rm -f "$tar.part"
        echo "$0: no Debian could be fetched: is its mirror reached from here?" >&2
        exit 1
    fi
    mv "$tar.part" "$tar"
fi
echo "$tar"
