#!/bin/sh
# Counts instructions with callgrind: of the codec on one message, and of the relay core on messages with
# their answers, in a pretend world without sockets and disk. They do not depend on what else the machine
# does. Each figure is compared with benches/instructions.txt; one that is dearer by more than 3 % is an
# error. With --keep the file is written anew. Reading a message for a client is shown beside what
# libwbxml needs for the same message, where that and a C compiler are installed.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
kept=benches/instructions.txt

if ! command -v valgrind >/dev/null 2>&1; then
    echo "valgrind is missing: apt-get install valgrind" >&2
    exit 1
fi

# The program of a benchmark of a package.
built() {
    $cargo bench --locked --no-run --package "$1" --bench "$2" --message-format json 2>/dev/null |
        sed -n 's/.*"name":"'"$2"'".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1
}

# Instructions of a command, in all threads.
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

new=$(mktemp)
trap 'rm -f "$new"' EXIT
failed=0

# name, instructions, of how many
show() {
    each=$(($2 / $3))
    before=$(sed -n "s/^$1 //p" "$kept" 2>/dev/null || true)
    echo "$1 $each" >>"$new"
    if [ -z "$before" ]; then
        printf '%-28s %9d\n' "$1" "$each"
    else
        mark=""
        if [ "$each" -gt $((before + before * 3 / 100)) ]; then
            mark="  dearer by more than 3 %"
            failed=1
        fi
        printf '%-28s %9d  %+6.1f %%%s\n' "$1" "$each" \
            "$(awk "BEGIN { print ($each - $before) * 100 / $before }")" "$mark"
    fi
}

$cargo bench --locked --no-run --package wvgate-wire --bench codec
$cargo bench --locked --no-run --package wvgate --bench core --bench home
codec=$(built wvgate-wire codec)
core=$(built wvgate core)
home=$(built wvgate home)
echo "instructions for one message, and what that is more than in $kept"

nothing=$(instructions "$codec" count nothing)
show codec.scan $(($(instructions "$codec" count scan) - nothing)) 1000
show codec.scan_parse_write $(($(instructions "$codec" count typed_parse_and_write) - nothing)) 1000

for operation in xml_read wbxml_read xml_write wbxml_write; do
    show "csp.$operation" $(($(instructions "$codec" count "csp_$operation") - nothing)) 1000
done

# What libwbxml needs to read the same, into a tree without meaning.
beside=$(mktemp -d)
trap 'rm -rf "$new" "$beside"' EXIT
library=$(ldconfig -p | sed -n 's/.*=> \(.*libwbxml2\.so\.[0-9]*\)$/\1/p' | head -n 1)
if [ -n "$library" ] && command -v cc >/dev/null; then
    cc -O2 -o "$beside/decode" scripts/libwbxml-decode.c "$library"
    "$codec" messages "$beside"
    for encoding in xml wbxml; do
        once=$(instructions "$beside/decode" 1 $encoding "$beside/message.$encoding")
        many=$(instructions "$beside/decode" 1001 $encoding "$beside/message.$encoding")
        theirs=$(((many - once) / 1000))
        ours=$(sed -n "s/^csp.${encoding}_read //p" "$new")
        printf '  %-26s %9d  ours is %s of it\n' "libwbxml, $encoding" "$theirs" \
            "$(awk "BEGIN { printf \"%.2f\", $ours / $theirs }")"
    done
else
    echo "  libwbxml is not installed: scripts/install-test-tools.sh"
fi

messages=2048
for batch in 1 64; do
    noted=$(instructions "$core" record $messages $batch)
    both=$(instructions "$core" replay $messages $batch)
    show "core.relayed.$batch" $((both - noted)) $messages
done

few=$(instructions "$home" talk $messages)
many=$(instructions "$home" talk $((2 * messages)))
show home.message $((many - few)) $messages

if [ "${1:-}" = --keep ]; then
    cp "$new" "$kept"
    exit 0
fi
exit $failed
