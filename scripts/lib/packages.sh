# shellcheck shell=bash
# Debian packages. Asked of dpkg, so that a machine that has them all needs neither apt, network nor root.

# To compile and run the node.
readonly packages_build=(
  g++ cmake ninja-build ccache mold pkg-config python3
  libboost1.81-dev libboost-json1.81-dev libssl-dev
  libprotobuf-dev protobuf-compiler
  libfmt-dev libspdlog-dev libcli11-dev libtomlplusplus-dev libsimdjson-dev
  libxxhash-dev prometheus-cpp-dev libedit-dev
  doctest-dev librapidcheck-dev libbenchmark-dev
)
# To run the tests: clients, the loop mount of the full-disk test, broken networks and clocks, the style checks.
readonly packages_test=(
  curl jq procps e2fsprogs mount clang-format-14
  iproute2 iptables util-linux libnetfilter-queue-dev
)
# For the presets fuzz and tidy, for bench/ and for work on the scripts.
readonly packages_dev=(
  git clang libclang-rt-14-dev clang-tidy-14 wrk shellcheck
)
# To draw what bench/compare measured; its peers come from fetch_peers (debs.sh).
readonly packages_bench=(
  python3-matplotlib
)
# For scripts/test --compose where no container engine is there yet.
readonly packages_compose=(
  # tidy-ok: the name of a package of Debian
  docker.io iptables iproute2 mmdebstrap debian-archive-keyring
)

packages_of() { # GROUP...: one package a line
  local group
  for group in "$@"; do
    case $group in
      build) printf '%s\n' "${packages_build[@]}" ;;
      test) printf '%s\n' "${packages_test[@]}" ;;
      dev) printf '%s\n' "${packages_dev[@]}" ;;
      bench) printf '%s\n' "${packages_bench[@]}" ;;
      compose) printf '%s\n' "${packages_compose[@]}" ;;
      *) die "no such group of packages: $group" ;;
    esac
  done
}

missing_packages() { # GROUP...: those that are not installed, one a line
  local wanted
  mapfile -t wanted < <(packages_of "$@")
  # shellcheck disable=SC2016 # ${...} are dpkg-query's own
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
    awk '$1 == "installed" { print $2 }' |
    sort -u | comm -13 - <(printf '%s\n' "${wanted[@]}" | sort -u)
}

# One apt at a time, patient with a lock that somebody else holds, and not stopped by a source that fails:
# what counts is whether the packages can be installed afterwards.
apt_as_root() {
  local as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -qq -y \
    -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
    -o Acquire::Retries=3 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 "$@"
}

install_packages() { # GROUP...
  local missing log start=$SECONDS
  command -v dpkg-query >/dev/null || die "this is no Debian system (no dpkg-query): Cairn is built on Debian 12"
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} -eq 0 ]; then
    note "all packages are installed"
    return
  fi
  if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
    die "these packages are missing, and only root can install them:" \
      "apt-get install --no-install-recommends ${missing[*]}"
  fi
  note "installing ${#missing[@]} packages: ${missing[*]}"
  mkdir -p "$cairn_cache"
  log=$(mktemp "$cairn_cache/apt.XXXXXX.log")
  exec {lock}>"$cairn_cache/apt.lock"
  flock "$lock"
  apt_as_root update >"$log" 2>&1 </dev/null || note "apt-get update was not happy with every source; going on"
  if ! apt_as_root install --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
    tail -n 25 "$log" >&2
    die "apt could not install: ${missing[*]} (whole output: $log)"
  fi
  exec {lock}>&-
  rm -f "$log"
  note "packages installed ($(elapsed "$start"))"
}

# The test with real input reads the machine's package index; an image may have thrown it away.
ensure_package_index() {
  [ -n "$(apt-cache dumpavail 2>/dev/null | head -c 1)" ] && return
  if [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; then
    note "fetching the package index (input of a test)"
    apt_as_root update >/dev/null 2>&1 </dev/null || true
  fi
}
