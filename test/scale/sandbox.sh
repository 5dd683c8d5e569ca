#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The Fairway Authors
#
# Measures a running sandbox of the example bank: CPU and memory of all its
# processes while nobody asks anything, and, with a host named, how long its
# seats are gone when it loses power. For docs/reference/performance.md.
#
#   test/scale/sandbox.sh [NAME [SECONDS [HOST]]]     bank, 60, none
set -euo pipefail
cd "$(dirname "$0")/../.."
name=${1:-bank}
seconds=${2:-60}
host=${3:-}
state=${FAIRWAY_STATE:-/var/lib/fairway}/$name
[[ -d $state ]] || { echo "could not measure sandbox \"$name\": it does not run; make up starts one" >&2; exit 1; }

# The sandbox's processes name its folder, or lie in its control groups.
pids() {
  local p
  for p in /proc/[0-9]*; do
    if { tr '\0' ' ' <"$p/cmdline" | grep -qF -e "$state/" -e "--name=$name " || grep -q "/fairway/$name/" "$p/cgroup"; } 2>/dev/null; then
      echo "${p#/proc/}"
    fi
  done
}
pause() { read -rt "$1" <> <(:) || true; }
ticks() { for p in "$@"; do cat "/proc/$p/stat" 2>/dev/null; done | awk '{sub(/^.*\) /, ""); s += $12 + $13} END {print s + 0}'; }
now() { echo $(($(date +%s%N) / 1000000)); }

mapfile -t all < <(pids)
echo "processes: ${#all[@]}; load: $(cut -d' ' -f1-3 /proc/loadavg)"
for p in "${all[@]}"; do cat "/proc/$p/smaps_rollup" 2>/dev/null; done |
  awk '/^Pss:/ {p += $2} /^Rss:/ {r += $2} END {printf "memory: %d MiB (each shared page counted once), %d MiB resident summed\n", p / 1024, r / 1024}'
before=$(ticks "${all[@]}")
began=$(now)
pause "$seconds"
after=$(ticks "${all[@]}")
awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" -v ms=$(($(now) - began)) \
  'BEGIN {printf "CPU: %.1f s in %.1f s, %.1f %% of one core\n", t / hz, ms / 1000, 100 * t / hz / (ms / 1000)}'
echo "load: $(cut -d' ' -f1-3 /proc/loadavg)"

[[ -n $host ]] || exit 0
export FAIRWAY_CONFIG=$state/client.yaml
running() { bin/fairway get instances -n retail-prod | awk -v host="$host" '$0 !~ " " host " " && / Running /' | wc -l; }
want=$(bin/fairway get instances -n retail-prod | grep -c ' Running ')
bin/fairway sandbox host stop "$host" --name "$name"
began=$(now)
while [[ $(running) -lt $want ]]; do
  if [[ $(($(now) - began)) -gt 180000 ]]; then
    echo "host $host: $(running) of $want instances run elsewhere after 180 s" >&2
    bin/fairway sandbox host start "$host" --name "$name"
    exit 1
  fi
  pause 0.3
done
echo "host $host stopped: all $want instances run elsewhere after $(($(now) - began)) ms"
bin/fairway sandbox host start "$host" --name "$name"
