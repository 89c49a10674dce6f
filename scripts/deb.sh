#!/bin/sh
# Makes the Debian package, in target/package:
#
#   scripts/deb.sh                        of a release build, which it makes
#   scripts/deb.sh --binary FILE          of a program that is there
#     --version VERSION                   another version than that of Cargo.toml, as 0.1.0-1
#     --to DIR                            into another folder
#     --fast                              larger, made in less time
#
# Writes the package's path on its last line. scripts/install-package-tools.sh comes before.
set -eu

cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-target}
binary=
fast=
to=target/package
crate=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
version=$crate-1
while [ $# -gt 0 ]; do
    case $1 in
    --binary) binary=$2; shift ;;
    --version) version=$2; shift ;;
    --to) to=$2; shift ;;
    --fast) fast=--fast ;;
    *) echo "$0: what is $1?" >&2; exit 64 ;;
    esac
    shift
done

if [ -z "$binary" ]; then
    "$cargo" build --release --locked
    binary=$target/release/wvgate
fi

# cargo-deb looks for a release build in a target folder.
work=target/package
rm -rf "$work/share" "$work/build"
mkdir -p "$work/build/release" "$work/share/completions" "$to"
cp "$binary" "$work/build/release/wvgate"
program=$work/build/release/wvgate
"$program" man --dir "$work/share/man"
"$program" completions bash > "$work/share/completions/wvgate"
"$program" completions zsh > "$work/share/completions/_wvgate"
"$program" completions fish > "$work/share/completions/wvgate.fish"

# The same sources make the same package.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH
maintainer=$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)
cat > "$work/changelog" <<END
wvgate ($version) unstable; urgency=medium

  * What has changed is in /usr/share/doc/wvgate/changelog.gz.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
END

deb=$to/wvgate_${version}_$(dpkg --print-architecture).deb
# shellcheck disable=SC2086 # nothing, or a flag
CARGO_TARGET_DIR=$work/build "$target/tools/bin/cargo-deb" --no-build --strip --locked --quiet \
    --deb-version "$version" --output "$deb" $fast >/dev/null
echo "$deb"
