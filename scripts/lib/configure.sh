# shellcheck shell=bash
# From a preset to a built tree. Needs common.sh, packages.sh and caf.sh.

caf_variant_of_preset() { # PRESET
  case $1 in
    tsan) echo tsan ;;
    # libstdc++ marks no container bounds for AddressSanitizer, so an uninstrumented CAF raises no false alarm.
    *) echo release ;;
  esac
}

package_groups_of_preset() { # PRESET
  case $1 in
    fuzz | tidy) echo build dev ;;
    *) echo build ;;
  esac
}

require_preset() { # PRESET
  local known
  known=$(sed -n '/"configurePresets"/,/^  \]/s/.*{"name": "\([^"]*\)", "inherits".*/\1/p' \
    "$repo_root/CMakePresets.json" | tr '\n' ' ')
  case " $known" in
    *" $1 "*) ;;
    *) usage_error "unknown preset '$1'; there are: $known" ;;
  esac
}

configure_preset() { # PRESET, with caf_root set
  local preset=$1 dir=$repo_root/build/$1
  local args=(--preset "$preset" "-DCAF_ROOT=$caf_root")
  if [ -f "$dir/CMakeCache.txt" ]; then
    # An unchanged tree is configured again by ninja itself, when a CMake file has changed; but not when something is
    # here by now that tests want and that was missing (scripts/up installs less than scripts/test).
    if grep -qxF "CAF_ROOT:UNINITIALIZED=$caf_root" "$dir/CMakeCache.txt" ||
      grep -qxF "CAF_ROOT:PATH=$caf_root" "$dir/CMakeCache.txt"; then
      if [ -f "$dir/build.ninja" ] && ! grep -qE '^(CAIRN|netfilter)_.*-NOTFOUND$' "$dir/CMakeCache.txt"; then
        return
      fi
    else
      # find_package remembers where it found CAF before: start afresh.
      args+=(--fresh)
    fi
  fi
  (cd "$repo_root" && run_logged "$dir/configure.log" cmake "${args[@]}")
}

# Shows ninja's own status line on a terminal, a line every half a minute otherwise.
build_preset() { # PRESET [TARGET...]
  local preset=$1 dir=$repo_root/build/$1 start=$SECONDS
  shift
  if [ -t 2 ]; then
    NINJA_STATUS='      [%f/%t] ' ninja -C "$dir" "$@" >&2 || die "the build of preset $preset failed"
  else
    NINJA_STATUS='[%f/%t] ' ninja -C "$dir" "$@" >"$dir/build.log" 2>&1 </dev/null &
    local ninja_pid=$! waited=0
    while kill -0 "$ninja_pid" 2>/dev/null; do
      sleep 1
      waited=$((waited + 1))
      if [ $((waited % 30)) -eq 0 ]; then
        note "$(grep -ao '^\[[0-9]*/[0-9]*\]' "$dir/build.log" | tail -n 1) $(elapsed "$start")"
      fi
    done
    if ! wait "$ninja_pid"; then
      grep -a -A 25 -m 3 '^FAILED:' "$dir/build.log" >&2 || tail -n 40 "$dir/build.log" >&2
      die "the build of preset $preset failed (whole output: $dir/build.log)"
    fi
  fi
  note "preset $preset built ($(elapsed "$start"))"
}
