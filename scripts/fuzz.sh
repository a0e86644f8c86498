#!/bin/sh
# Runs every fuzz target for some seconds over a copy of its corpus; fails if one crashes.
#
#   cmake --preset fuzz && cmake --build --preset fuzz && scripts/fuzz.sh SECONDS [BUILD_DIR]
#
# Prints one line a target.  What a crash was found with stays in the folder that the line names.
set -u

seconds=${1:?usage: scripts/fuzz.sh SECONDS [BUILD_DIR]}
root=$(cd "$(dirname "$0")/.." && pwd)
build=${2:-$root/build/fuzz}
work=$(mktemp -d "${TMPDIR:-/tmp}/smb3d-fuzz.XXXXXX")
failed=0
found=0

for program in "$build"/fuzz_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    found=1
    name=$(basename "$program")
    seeds=$root/tests/fuzz/corpus/${name#fuzz_}
    mkdir -p "$work/$name/corpus" "$work/$name/found"
    [ -d "$seeds" ] && cp "$seeds"/* "$work/$name/corpus/"
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$work/$name/found/" "$work/$name/corpus" >"$work/$name/log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name/log")
        inputs=$(find "$work/$name/corpus" -type f | wc -l)
        echo "$name: ok, ${runs:-?} runs, $inputs inputs"
        rm -rf "${work:?}/$name"
    else
        echo "$name: FAILED, see $work/$name: $(grep -m 1 -E 'ERROR|runtime error|SUMMARY' "$work/$name/log")"
        failed=1
    fi
done

if [ "$found" = 0 ]; then
    echo "no fuzz targets in $build: cmake --preset fuzz && cmake --build --preset fuzz" >&2
    failed=1
fi
rmdir "$work" 2>/dev/null
exit "$failed"
