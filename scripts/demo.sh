#!/usr/bin/env bash
# The demo: two domains, a relay between them and an XMPP server; see scripts/demo/world.py.
# `make demo` installs and builds what it needs before it comes here.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
python=$target/venv/bin/python
program=$target/debug/wvgate
for file in "$python" "$program"; do
    if [ ! -x "$file" ]; then
        echo "$0: $file is missing; run: make demo" >&2
        exit 1
    fi
done
exec "$python" scripts/demo/world.py "$program"
