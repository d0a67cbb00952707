#!/usr/bin/env bash
# Searches Shale's index of a million rows and DiskANN's in turns, each in a memory cgroup that counts the page cache.
# Root only, Linux. Both must have been built: Shale's by "shale build --m 8 --memory 512MiB" and DiskANN's by
# "diskann.py build".
#
#   bench/larger/beside_diskann.sh SHALE_INDEX DISKANN_FOLDER QUERIES.npy TRUTH.ivecs
#
# LIMIT (MiB, default 256) bounds both, ROUNDS (default 3) alternates them, PYTHON is the interpreter that has
# diskannpy, EF and PROBES set Shale's sweep, CACHED the nodes that DiskANN keeps in memory.
set -euo pipefail
index=$(realpath "$1") folder=$(realpath "$2") queries=$(realpath "$3") truth=$(realpath "$4")
cd "$(dirname "$0")/../.."
. bench/larger/limited.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/shale" ./cmd/shale
limit=${LIMIT:-256}

for ((round = 1; round <= ${ROUNDS:-3}; round++)); do
  for probes in ${PROBES:-3 4}; do
    echo "round $round: Shale, $probes probes"
    drop_caches
    limited "$limit" "$work/shale" eval "$index" --queries "$queries" --groundtruth "$truth" \
      --ef "${EF:-60,80,100,140,200,300}" \
      --batch --probes "$probes" --memory "${limit}MiB" --rerank "${RERANK:-30}"
  done
  echo "round $round: DiskANN"
  drop_caches
  limited "$limit" env PYTHONUNBUFFERED=1 "${PYTHON:-python3}" bench/larger/diskann.py search \
    "$queries" "$truth" "$folder"
done
