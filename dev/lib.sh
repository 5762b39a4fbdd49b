# shellcheck shell=bash
# What every script in dev/ shares: strict mode, the repository as the working folder, and how to
# speak to whoever runs them. Sourced, never run. tools.sh, cluster-lib.sh and chart.sh build on it.

set -euo pipefail

# Paths in the scripts are relative to the repository, wherever it lies and wherever they are called.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# die SENTENCE: ends the script. The sentence says what is wrong and what to do about it.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}

# say TEXT: one line about what is going on.
say() {
  printf '==> %s\n' "$1"
}

# step WHAT HOW-LONG COMMAND…: says what is done (and how long it takes the first time, if that is
# worth knowing), does it, says how long it took. The command is called plainly, not under a
# condition, so that `set -e` stays in force within it.
step() {
  local what=$1 how_long=$2 begin=$SECONDS
  shift 2
  if [ -n "$how_long" ]; then
    say "$what (the first time: $how_long)"
  else
    say "$what"
  fi
  "$@"
  printf '    done in %d s\n' $((SECONDS - begin))
}

# need COMMAND ADVICE: ends the script with the advice when the command is not installed.
need() {
  command -v "$1" >/dev/null || die "$1 is not installed; $2"
}
