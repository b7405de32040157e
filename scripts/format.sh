#!/usr/bin/env bash
# scripts/format.sh [--check] [FILE...]
#
# Formats every C++ file of ours (or the given ones) in place with clang-format 14 and .clang-format.
# With --check nothing is changed: it names the files that are not formatted and exits 1 when there are any.
set -euo pipefail
# shellcheck source=scripts/lib/common.sh
. "$(dirname "$0")/lib/common.sh"

check=
files=()
for argument in "$@"; do
  case $argument in
    -h | --help) print_help && exit 0 ;;
    --check) check=1 ;;
    -*) usage_error "unknown argument '$argument'" ;;
    *) files+=("$argument") ;;
  esac
done

# Other versions format differently, and then two people undo each other's work for ever.
formatter=$(command -v clang-format-14 || command -v clang-format || true)
[ -n "$formatter" ] || die "no clang-format-14 on this machine: scripts/setup --test installs it"
case $("$formatter" --version) in
  *"version 14."*) ;;
  *) die "$formatter is not version 14: scripts/setup --test installs that" ;;
esac

if [ ${#files[@]} -eq 0 ]; then
  cd "$repo_root"
  mapfile -t files < <(find storage proto actors net apps tests bench -name '*.[ch]pp' -not -path 'tests/data/*' | sort)
fi
[ ${#files[@]} -gt 0 ] || exit 0

if [ -z "$check" ]; then
  printf '%s\0' "${files[@]}" | xargs -0 -n 16 -P "$(nproc)" "$formatter" -i --style=file
  exit 0
fi

bad=$(printf '%s\0' "${files[@]}" |
  xargs -0 -n 16 -P "$(nproc)" "$formatter" --dry-run --style=file 2>&1 |
  sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: code should be clang-formatted.*/\1/p' | sort -u)
if [ -n "$bad" ]; then
  printf '%s\n' "$bad"
  die "$(wc -l <<<"$bad") files are not formatted: run scripts/format.sh"
fi
