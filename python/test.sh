#!/usr/bin/env bash
# Builds the wheel, installs it into fresh virtual environments of the oldest and the newest Python there is, and tests
# it there: with NumPy 1 on the oldest where there is one for it, and on the newest beside hnswlib itself and with the
# packages that it has parts for. PYTHONS, a list of commands, says which Pythons to take instead.
set -euo pipefail
cd "$(dirname "$0")"

least=9 # of Python 3

pythons() { # the commands of all Pythons in the path and of pyenv, the oldest first
  local folder python minor
  for folder in ${PATH//:/ } "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin; do
    for python in "$folder"/python3.*; do
      minor=${python##*/python3.}
      [[ $minor =~ ^[0-9]+$ && $minor -ge $least ]] || continue
      "$python" -c 'import venv, ensurepip' 2>/dev/null && echo "$minor $python"
    done
  done | sort -n -s -k 1,1 | awk '!seen[$1]++ { print $2 }'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

environment() { # environment NAME PYTHON PACKAGE...: a virtual environment with packages
  "$2" -m venv "$work/$1"
  "$work/$1/bin/python" -m pip install -q --disable-pip-version-check "${@:3}"
}

run() { # run NAME TEST...
  local versions='import sys, numpy; print("Python", sys.version.split()[0], "NumPy", numpy.__version__)'
  echo "-- $("$work/$1/bin/python" -c "$versions"): ${*:2}"
  (cd tests && "$work/$1/bin/python" -m pytest -q -p no:cacheprovider "${@:2}")
}

read -r -a all <<<"${PYTHONS:-$(pythons | tr '\n' ' ')}"
[ "${#all[@]}" -gt 0 ] || { echo "no Python 3.$least or later with venv was found"; exit 1; }
oldest=${all[0]} newest=${all[-1]}

"$newest" -m pip wheel -q --disable-pip-version-check --no-deps -w "$work" . ./hnswlib
wheels=("$work"/*.whl)

# The environments are made and tested side by side: a test mostly keeps one processor busy. The interrupts meet all of
# an older Python's instructions soon; the newest one looks for rare ones.
older_numpy=()
"$oldest" -c 'import sys; sys.exit(sys.version_info >= (3, 13))' && older_numpy=('numpy<2')
(
  environment oldest "$oldest" -r tests/requirements.txt "${wheels[@]}" "${older_numpy[@]}"
  SHALE_INTERRUPTS=300 run oldest . --ignore=ecosystem --ignore=cross --ignore=test_memory.py
) >"$work/oldest.log" 2>&1 &
tests=($!)
(
  environment newest "$newest" -r tests/requirements.txt "$work"/shale_search-*.whl hnswlib==0.8.0
  run newest . --ignore=ecosystem --ignore=standin
) >"$work/newest.log" 2>&1 &
tests+=($!)
(
  environment ecosystem "$newest" -r tests/requirements.txt -r tests/ecosystem/requirements.txt \
    "$work"/shale_search-*.whl
  run ecosystem ecosystem
) >"$work/ecosystem.log" 2>&1 &
tests+=($!)

failed=0
for test in "${tests[@]}"; do wait "$test" || failed=1; done
cat "$work"/{oldest,newest,ecosystem}.log
exit $failed
