# shellcheck shell=bash
# Common pieces of all scripts: where we are, how we talk, how we fail.
# Sourced, never run. The sourcing script has set `set -euo pipefail`.

repo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly repo_root
readonly script_name=${0##*/}

# A bare root may come without HOME; the per-user cache needs one.
if [ -z "${HOME:-}" ]; then
  HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
  export HOME="${HOME:-/root}"
fi
cairn_cache=${CAIRN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn}

# Plain steps: `[2/5] CAF ...`. The number of steps is set by the script that prints them.
step_now=0
step_count=${step_count:-0}
step() {
  step_now=$((step_now + 1))
  printf '[%d/%d] %s\n' "$step_now" "$step_count" "$*" >&2
}
note() { printf '      %s\n' "$*" >&2; }
warn() { printf '%s: warning: %s\n' "$script_name" "$*" >&2; }
die() {
  printf '%s: %s\n' "$script_name" "$*" >&2
  exit 1
}
usage_error() {
  printf '%s: %s (see %s --help)\n' "$script_name" "$*" "$script_name" >&2
  exit 2
}

# The comment block at the head of the calling script is its help text.
print_help() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }

# elapsed SECONDS_START -> "1 min 05 s"
elapsed() {
  local seconds=$((SECONDS - $1))
  if [ "$seconds" -ge 60 ]; then
    printf '%d min %02d s' $((seconds / 60)) $((seconds % 60))
  else
    printf '%d s' "$seconds"
  fi
}

# run_logged LOG COMMAND...: quiet when it works; the end of the log is shown when it does not.
run_logged() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 40 "$log" >&2
    die "failed: $* (whole output: $log)"
  fi
}
