#!/usr/bin/env bash
# Opens a mapped index that isn't in the page cache, and searches it in a memory cgroup smaller than the index, which
# counts the page cache. It prints the time and the bytes read of opening, and queries a second, major faults and the
# KiB read in all. Root only, Linux; needs GNU time.
#
#   bench/larger/mapped.sh INDEX QUERIES.npy TRUTH.ivecs [EF [FLAG...]]
#
# SEARCH_LIMIT (MiB, default 256) is the memory allowed.
set -euo pipefail
index=$(realpath "$1") queries=$(realpath "$2") truth=$(realpath "$3") ef=${4:-100}
shift $(($# < 4 ? $# : 4))
limit=${SEARCH_LIMIT:-256}
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
go build -o "$folder/shale" ./cmd/shale

SHALE_BENCH_INDEX="$index" go test -run - -bench BenchmarkOpenMapped -benchtime 20x . | grep Benchmark

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/shale-bench-mapped
  mkdir -p "$group"
  echo +memory >/sys/fs/cgroup/cgroup.subtree_control
  echo $((limit << 20)) >"$group/memory.max"
else
  group=/sys/fs/cgroup/memory/shale-bench-mapped
  mkdir -p "$group"
  echo $((limit << 20)) >"$group/memory.limit_in_bytes"
fi

sync
echo 3 >/proc/sys/vm/drop_caches
for round in cold warm; do
  echo "$round:"
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec "$(type -P time)" -f '%F major faults, %I × 512 bytes read, program and queries included' \
      "$folder/shale" eval "$index" --mmap --queries "$queries" --groundtruth "$truth" --ef "$ef" "$@"
  )
done
