# shellcheck shell=bash
# CAF, from Debian's source package, built once per user and per set of build options.
#
# find_caf VARIANT sets caf_root. A CAF_ROOT in the environment names an installation that is there already
# and always wins. Variants: `release` (all presets without a sanitizer), `tsan` and `asan` (built with the
# same sanitizer as the program: an uninstrumented CAF hides its own locks from ThreadSanitizer and lets
# AddressSanitizer mistake containers that are filled on one side and read on the other).

readonly caf_version=0.18.7
readonly caf_package="actor-framework=0.18.7-1~exp1"
readonly caf_suite=experimental
readonly caf_tarball=actor-framework_0.18.7.orig.tar.gz
readonly caf_sha256=d5c3abe8fd67a729aab1baeece10367637d903ba335f4c79378bcadfbcd34552

caf_cmake_options() { # VARIANT: one option a line
  local flags="-g1 -fno-omit-frame-pointer"
  case $1 in
    release) ;;
    tsan) flags+=" -fsanitize=thread" ;;
    asan) flags+=" -fsanitize=address" ;;
    *) die "no such CAF variant: $1" ;;
  esac
  printf '%s\n' \
    -DCMAKE_BUILD_TYPE=Release \
    "-DCMAKE_CXX_FLAGS=$flags" \
    -DCMAKE_CXX_STANDARD=20 \
    -DCMAKE_CXX_STANDARD_REQUIRED=ON \
    -DCMAKE_CXX_EXTENSIONS=OFF \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
    -DCMAKE_INSTALL_LIBDIR=lib \
    -DBUILD_SHARED_LIBS=OFF \
    -DCAF_ENABLE_TESTING=OFF \
    -DCAF_ENABLE_EXAMPLES=OFF \
    -DCAF_ENABLE_TOOLS=OFF \
    -DCAF_ENABLE_OPENSSL_MODULE=OFF \
    -DCAF_LOG_LEVEL=QUIET
}

# Where a variant lives. The name carries a hash of everything that shapes the binary.
caf_variant_dir() { # VARIANT
  local hash
  hash=$({
    echo "$caf_sha256"
    caf_cmake_options "$1"
    "${CXX:-g++}" -dumpfullversion -dumpmachine
  } | sha256sum | cut -c1-10)
  printf '%s/caf-%s-%s-%s' "$cairn_cache" "$caf_version" "$1" "$hash"
}

caf_tarball_ok() { # FILE
  [ -f "$1" ] && echo "$caf_sha256  $1" | sha256sum --check --status 2>/dev/null
}

# The archives that this machine installs Debian from, as `URI [KEYRING]` lines. apt itself reads its
# configuration for us, whichever of the two formats that is written in, and needs no package lists for it;
# only the keyring it does not tell.
debian_archives() {
  local codename uri file keyring
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  apt-get update --print-uris 2>/dev/null |
    sed -En "s#^'(.*)/dists/($codename|stable)/InRelease' .*#\1#p" | awk '!seen[$0]++' |
    while read -r uri; do
      keyring=
      for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        [ -z "$keyring" ] && grep -qsF "$uri" "$file" || continue
        keyring=$(case $file in *.list) grep -F "$uri" "$file" ;; *) cat "$file" ;; esac |
          sed -n 's|.*[Ss]igned-[Bb]y *[:=] *"\{0,1\}\(/[^] ,"]*\).*|\1|p' | head -n 1)
      done
      echo "$uri" "$keyring"
    done
}

fetch_caf_from() { # URI KEYRING WORK_DIR -> the tarball in WORK_DIR/download
  local uri=$1 keyring=$2 dir=$3
  rm -rf "$dir"
  mkdir -p "$dir"/{sources,lists/partial,cache/archives/partial,download}
  {
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$caf_suite"
    case $keyring in /*) printf 'Signed-By: %s\n' "$keyring" ;; esac
  } >"$dir/sources/caf.sources"
  # An old mirror will do: the package is one fixed version, and its SHA-256 is checked by us.
  local apt=(apt-get -qq
    -o Dir::Etc::SourceList=/dev/null
    -o Dir::Etc::SourceParts="$dir/sources"
    -o Dir::State::Lists="$dir/lists"
    -o Dir::Cache="$dir/cache"
    -o APT::Sandbox::User=
    -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20
    -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false)
  "${apt[@]}" update &&
    (cd "$dir/download" && "${apt[@]}" source --download-only --tar-only "$caf_package")
}

fetch_caf() { # -> $cairn_cache/downloads/$caf_tarball, checked
  local target=$cairn_cache/downloads/$caf_tarball work uri keyring
  caf_tarball_ok "$target" && return
  mkdir -p "$cairn_cache/downloads"
  work=$(mktemp -d "$cairn_cache/fetch.XXXXXX")
  : >"$work/log"
  while read -r uri keyring; do
    if fetch_caf_from "$uri" "$keyring" "$work/apt" >>"$work/log" 2>&1 </dev/null; then
      if caf_tarball_ok "$work/apt/download/$caf_tarball"; then
        mv -f "$work/apt/download/$caf_tarball" "$target"
        rm -rf "$work"
        return
      fi
      echo "$uri: SHA-256 is not $caf_sha256" >>"$work/log"
    fi
  done < <(debian_archives)
  [ -s "$work/log" ] || echo "apt knows no archive with this Debian release's component main" >>"$work/log"
  tail -n 20 "$work/log" >&2
  rm -rf "$work"
  die "could not fetch CAF's source package $caf_package. Either put $caf_tarball" \
    "(SHA-256 $caf_sha256) into $cairn_cache/downloads, or set CAF_ROOT to an installed CAF $caf_version."
}

build_caf() { # VARIANT DIR
  local variant=$1 dir=$2 work options
  fetch_caf
  work=$(mktemp -d "$cairn_cache/build.XXXXXX")
  mapfile -t options < <(caf_cmake_options "$variant")
  if command -v ccache >/dev/null; then
    options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  # Same paths in debug information and in ccache's keys, wherever the cache is.
  export CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
  mkdir "$work/src"
  tar -xf "$cairn_cache/downloads/$caf_tarball" -C "$work/src" --strip-components=1
  run_logged "$work/log" cmake -G Ninja -S "$work/src" -B "$work/build" \
    "-DCMAKE_INSTALL_PREFIX=$work/install" "${options[@]}"
  run_logged "$work/log" cmake --build "$work/build"
  run_logged "$work/log" cmake --install "$work/build"
  # Only a whole installation ever gets the final name.
  rm -rf "$dir"
  mv -T "$work/install" "$dir"
  rm -rf "$work"
  unset CCACHE_BASEDIR CCACHE_NOHASHDIR
}

find_caf() { # VARIANT -> caf_root
  local variant=$1 start=$SECONDS lock
  if [ -n "${CAF_ROOT:-}" ]; then
    [ -f "$CAF_ROOT/lib/cmake/CAF/CAFConfig.cmake" ] ||
      die "CAF_ROOT=$CAF_ROOT is no CAF installation: lib/cmake/CAF/CAFConfig.cmake is not in it"
    caf_root=$CAF_ROOT
    return
  fi
  caf_root=$(caf_variant_dir "$variant")
  [ -f "$caf_root/lib/cmake/CAF/CAFConfig.cmake" ] && return
  mkdir -p "$cairn_cache"
  exec {lock}>"$cairn_cache/caf.lock"
  flock -n "$lock" || {
    note "another run is building CAF; waiting for it"
    flock "$lock"
  }
  if [ ! -f "$caf_root/lib/cmake/CAF/CAFConfig.cmake" ]; then
    # What an interrupted run left; nobody else is here, we hold the lock.
    rm -rf "$cairn_cache"/build.?????? "$cairn_cache"/fetch.??????
    note "building CAF $caf_version ($variant) once: about 3 minutes on 2 cores"
    build_caf "$variant" "$caf_root"
    note "CAF is in $caf_root ($(elapsed "$start"))"
  fi
  exec {lock}>&-
}
