#!/bin/sh
# Installs what the real-server tests, the demo and fuzzing need and what is not there yet:
# the Debian packages of Prosody and its further modules, ejabberd, Kannel, Python's venv and g++,
# tshark and the tools of libwbxml, slixmpp in target/venv, and Prometheus' promtool in
# target/tools.
# Run it as root or as a user who may use sudo. Running it again changes nothing.
set -eu

slixmpp_version=1.17.0
cd "$(dirname "$0")/.."
venv=${CARGO_TARGET_DIR:-target}/venv

# shellcheck source=scripts/packages.sh
. scripts/packages.sh

missing=
command -v prosody >/dev/null && command -v prosodyctl >/dev/null || missing="prosody"
[ -x /usr/sbin/ejabberdctl ] || command -v ejabberdctl >/dev/null || missing="$missing ejabberd"
[ -e /usr/lib/prosody/modules/mod_privilege ] || missing="$missing prosody-modules"
command -v python3 >/dev/null || missing="$missing python3"
command -v c++ >/dev/null || missing="$missing g++"
[ -x /usr/sbin/bearerbox ] && [ -x /usr/sbin/smsbox ] || missing="$missing kannel"
command -v tshark >/dev/null || missing="$missing tshark"
command -v wbxml2xml >/dev/null || missing="$missing libwbxml2-utils"
if [ ! -x "$venv/bin/python" ] && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    missing="$missing python3-venv"
fi

if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # a list of package names
    install_quiet_packages $missing
    for service in prosody ejabberd kannel; do
        case $missing in
        *"$service"*)
            if [ -d /run/systemd/system ]; then
                as_root systemctl disable --now "$service" || true
            fi
            ;;
        esac
    done
fi

if [ "$("$venv/bin/python" -c 'import slixmpp; print(slixmpp.__version__)' 2>/dev/null)" != "$slixmpp_version" ]; then
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "slixmpp==$slixmpp_version"
fi

# Of Prometheus' package, which would bring a service, only what checks metrics and rules.
tools=${CARGO_TARGET_DIR:-target}/tools
if [ ! -x "$tools/promtool" ]; then
    rm -rf "$tools/unpacked"
    mkdir -p "$tools/unpacked"
    (
        cd "$tools/unpacked"
        apt-get download -q prometheus || {
            as_root apt-get update -q
            apt-get download -q prometheus
        }
        dpkg-deb --extract prometheus_*.deb .
    )
    mv "$tools/unpacked/usr/bin/promtool" "$tools/promtool"
    rm -rf "$tools/unpacked"
fi

echo "test tools: $(command -v prosody), slixmpp $slixmpp_version in $venv"
