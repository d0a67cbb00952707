# Sourced by the scripts beside it.

# limited MIB COMMAND... runs it in a memory cgroup of that size, which counts the page cache. Root only, Linux.
limited() {
  local group=shale-bench-$1 limit=$(($1 << 20))
  shift
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    group=/sys/fs/cgroup/$group
    mkdir -p "$group"
    echo +memory >/sys/fs/cgroup/cgroup.subtree_control
    echo "$limit" >"$group/memory.max"
  else
    group=/sys/fs/cgroup/memory/$group
    mkdir -p "$group"
    echo "$limit" >"$group/memory.limit_in_bytes"
  fi
  (echo "$BASHPID" >"$group/cgroup.procs" && exec "$@")
}

# drop_caches lets what follows begin with nothing read.
drop_caches() {
  sync
  echo 3 >/proc/sys/vm/drop_caches
}
