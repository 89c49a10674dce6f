#!/bin/sh
# Makes development certificates beside this script: make-dev-certs.sh NAME[,ALSO...] ...
# See README.md.
set -eu
if [ $# -eq 0 ]; then
    echo "usage: $0 NAME[,ALSO...] ..." >&2
    exit 64
fi
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
exec cargo run -q -- certs "$here" "$@"
