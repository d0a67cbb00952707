#!/usr/bin/env bash
# Opens a mapped index that isn't in the page cache, and searches it in a memory cgroup smaller than the index, which counts the
# page cache. It prints the time and the bytes read of opening, and queries a second and the KiB read a query. Root only, Linux.
#
#   bench/larger/mapped.sh INDEX QUERIES.npy TRUTH.ivecs [EF]
#
# SEARCH_LIMIT (MiB, default 256) is the memory allowed.
set -euo pipefail
index=$(realpath "$1") queries=$(realpath "$2") truth=$(realpath "$3") ef=${4:-100}
limit=${SEARCH_LIMIT:-256}
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
go build -o "$folder/shale" ./cmd/shale

SHALE_BENCH_INDEX="$index" go test -run - -bench BenchmarkOpenMapped -benchtime 20x . | grep Benchmark

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  memory=/sys/fs/cgroup/shale-bench-mapped io=$memory
  mkdir -p "$memory"
  echo "+memory +io" >/sys/fs/cgroup/cgroup.subtree_control
  echo $((limit << 20)) >"$memory/memory.max"
else
  memory=/sys/fs/cgroup/memory/shale-bench-mapped io=/sys/fs/cgroup/blkio/shale-bench-mapped
  mkdir -p "$memory" "$io"
  echo $((limit << 20)) >"$memory/memory.limit_in_bytes"
fi

read_bytes() { # by the group so far
  if [ -f "$io/io.stat" ]; then
    grep -o 'rbytes=[0-9]*' "$io/io.stat" | cut -d= -f2 | paste -sd+ | bc
  else
    awk '$2 == "Read" { n += $3 } END { printf "%d\n", n }' "$io/blkio.throttle.io_service_bytes"
  fi
}

for round in 1 2; do # the second one counts: the first one also reads the program
  [ "$round" = 2 ] || { sync && echo 3 >/proc/sys/vm/drop_caches; }
  before=$(read_bytes)
  (
    echo "$BASHPID" >"$memory/cgroup.procs"
    echo "$BASHPID" >"$io/cgroup.procs"
    exec "$folder/shale" eval "$index" --mmap --queries "$queries" --groundtruth "$truth" --ef "$ef"
  )
  after=$(read_bytes)
  echo "round $round: $(((after - before) >> 10)) KiB read for all queries, loading included"
done
