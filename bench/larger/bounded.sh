#!/usr/bin/env bash
# Builds and searches an index larger than memory, each in a memory cgroup that counts the page cache. Root only, Linux.
#
#   bench/larger/bounded.sh ROWS.npy QUERIES.npy [FOLDER]
#
# BUILD_MEMORY and BUILD_LIMIT (MiB, default 512 and 600) and SEARCH_LIMIT (MiB, default 256) change the bounds, KILLS
# (default 0) kills the build so many times at random moments and starts it again, EF, PROBES and RERANK set the sweeps.
set -euo pipefail
rows=$(realpath "$1") queries=$(realpath "$2") folder=${3:-$(mktemp -d)}
cd "$(dirname "$0")/../.."
mkdir -p "$folder"
. bench/larger/limited.sh
go build -o "$folder/shale" ./cmd/shale

build() {
  limited "${BUILD_LIMIT:-600}" "$folder/shale" build --input "$rows" --output "$folder/index" --metric cosine --m 8 \
    --memory "${BUILD_MEMORY:-512}MiB"
}

rm -rf "$folder/index" "$folder/index.building"
for ((kill = 0; kill < ${KILLS:-0}; kill++)); do
  build >/dev/null 2>&1 &
  sleep $((RANDOM % 50 + 2))
  pkill -9 -f "^$folder/shale build" && echo "killed" || echo "finished before it was killed"
  wait || true
done
[ -d "$folder/index" ] || time build
"$folder/shale" verify "$folder/index"

[ -f "$folder/truth.ivecs" ] ||
  "$folder/shale" groundtruth --input "$rows" --queries "$queries" --metric cosine -k 10 --output "$folder/truth.ivecs"
for probes in ${PROBES:-3 4}; do
  echo "probes: $probes"
  drop_caches
  limited "${SEARCH_LIMIT:-256}" "$folder/shale" eval "$folder/index" --queries "$queries" \
    --groundtruth "$folder/truth.ivecs" \
    --ef "${EF:-60,80,100,140,200,300}" --batch --probes "$probes" --memory "${SEARCH_LIMIT:-256}MiB" \
    --rerank "${RERANK:-30}"
done
