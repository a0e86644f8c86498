#!/bin/sh
# Tries the simulations against servers with a known defect each: tests/sim/mutants/*.patch.
#
#   scripts/mutants.sh BUILD_DIR [SEEDS] [NAME...]
#
# For each one: applies it to the working tree, builds test_sim in BUILD_DIR, runs up to SEEDS seeds (20) of the durable
# simulation and then of the lease simulation, takes it back, and prints the seed that found it.  Ends with 1 if one was
# not found.  The working tree must have no changes below src.
set -u

build=${1:?usage: scripts/mutants.sh BUILD_DIR [SEEDS] [NAME...]}
seeds=${2:-20}
shift; [ $# -gt 0 ] && shift
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 2
build=$(cd "$build" && pwd)
[ -z "$(git status --porcelain src)" ] || { echo "src has changes" >&2; exit 2; }
log=$(mktemp)
applied=
failed=0
take_back() { [ -n "$applied" ] && git apply -R "$applied"; applied=; }
trap 'take_back; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# attempt VARIABLE FILTER: the number of the seed that failed
attempt() {
    env "$1=1" SMB3D_SIM_ROUNDS="$seeds" timeout 900 "$build/test_sim" --gtest_filter="$2" >"$log" 2>&1 && return 1
    sed -n 's/^seed \([0-9]*\).*/\1/p' "$log" | tail -n 1
}

for patch in tests/sim/mutants/*.patch; do
    name=$(basename "$patch" .patch)
    if [ $# -gt 0 ]; then
        case " $* " in *" $name "*) ;; *) continue ;; esac
    fi
    git apply "$patch" || { echo "$name: does not apply"; failed=1; continue; }
    applied=$patch
    if ! cmake --build "$build" --target test_sim >"$log" 2>&1; then
        echo "$name: does not compile: $(grep -m 1 'error' "$log")"
        failed=1
    elif seed=$(attempt SMB3D_DURABLE_SEED 'DurableSimulationOfYours.*'); then
        echo "$name: found by durable seed $seed: $(grep -m 1 -o -E '"[^"]*step .*|SUMMARY|Assertion|runtime error' "$log")"
    elif seed=$(attempt SMB3D_SIM_SEED 'LeaseSimulationOfYours.*'); then
        echo "$name: found by lease seed $seed: $(grep -m 1 -o -E '"[^"]*step .*|SUMMARY|Assertion|runtime error' "$log")"
    else
        echo "$name: NOT FOUND in $seeds seeds"
        failed=1
    fi
    take_back
done
exit $failed
