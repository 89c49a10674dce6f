#!/usr/bin/env bash
# Fuzzes the codec with libFuzzer, guided by coverage, on the toolchain the program is built with.
#
#   scripts/fuzz.sh [TARGET...]    all targets if none is named; they are the folders of tests/fuzz/corpus
#
#   FUZZ_SECONDS   how long each target runs (8)
#   FUZZ_JOBS      how many run at the same time (as many as there are cores)
#   FUZZ_SEED      the seed of the mutations (1)
#
# What was found beyond the committed corpus, findings and logs stay in target/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-8}
jobs=${FUZZ_JOBS:-$(nproc)}
seed=${FUZZ_SEED:-1}
out=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
committed=tests/fuzz/corpus

if [ $# -gt 0 ]; then
    targets=("$@")
else
    targets=("$committed"/*/)
    targets=("${targets[@]%/}")
    targets=("${targets[@]##*/}")
fi
for target in "${targets[@]}"; do
    [ -d "$committed/$target" ] || { echo "$0: no target $target in $committed" >&2; exit 2; }
done

RUSTC_WRAPPER=$PWD/tests/fuzz/rustc.sh ${CARGO:-cargo} build --quiet --locked \
    --manifest-path tests/fuzz/Cargo.toml --target-dir "$out" --bin codec
mkdir -p "$out/logs" "$out/artifacts"

# One line per target; what libFuzzer said is in its log.
run() {
    local target=$1 log=$out/logs/$1.log status=0
    mkdir -p "$out/corpus/$target"
    FUZZ_TARGET=$target "$out/debug/codec" -max_total_time="$seconds" -seed="$seed" -max_len=8192 \
        -timeout=10 -rss_limit_mb=512 -dict=tests/fuzz/wv.dict -print_final_stats=1 \
        -artifact_prefix="$out/artifacts/$target-" \
        "$out/corpus/$target" "$committed/$target" >"$log" 2>&1 || status=$?
    awk -v target="$target" -v log_file="$log" -v ok=$((status == 0)) '
        / cov: / { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1); if ($i == "corp:") corp = $(i + 1) } }
        /^stat::number_of_executed_units/ { runs = $2 }
        /^stat::new_units_added/ { new = $2 }
        /^stat::peak_rss_mb/ { rss = $2 }
        /Test unit written to/ { found = $NF }
        END {
            if (ok) printf "fuzz %-15s ok, %d runs, coverage %d, corpus %s (%d new), %d MB\n", target, runs, cov, corp, new, rss
            else printf "fuzz %-15s FAILED, see %s\n", target, found ? found : log_file
        }' "$log"
    if [ "$status" != 0 ]; then
        grep -a -A 3 -E 'panicked at|ERROR: ' "$log" >&2 || tail -n 20 "$log" >&2
        return 1
    fi
}

export seconds seed out committed
export -f run
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -n 1 bash -c 'run "$1"' run
