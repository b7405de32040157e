# shellcheck shell=bash
# Single programs out of packages of another Debian suite than the machine's, without touching what is installed:
# the peers of bench/compare (bookworm's nats-server cannot yet sync on each write), the plugin `docker compose`, and
# Prometheus, whose package would start a service.
# Needs common.sh and caf.sh (debian_archives).

# private_apt WORK_DIR URI KEYRING SUITE -> apt_options: an apt that knows that suite alone, with lists of its own.
private_apt() {
  local dir=$1 uri=$2 keyring=$3 suite=$4
  rm -rf "$dir"
  mkdir -p "$dir"/{sources,lists/partial,cache/archives/partial}
  {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$suite"
    case $keyring in /*) printf 'Signed-By: %s\n' "$keyring" ;; esac
  } >"$dir/sources/suite.sources"
  apt_options=(-qq
    -o Dir::Etc::SourceList=/dev/null
    -o Dir::Etc::SourceParts="$dir/sources"
    -o Dir::State::Lists="$dir/lists"
    -o Dir::Cache="$dir/cache"
    -o Acquire::Languages=none
    -o APT::Sandbox::User=
    -o Acquire::Retries=2 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20)
}

# fetch_programs SUITE TARGET_DIR PACKAGE:PATH...: puts each PATH (without the leading /) out of its PACKAGE into
# TARGET_DIR, under its own name, and what version it is beside it (PACKAGE.version). False when no archive has them.
fetch_programs() {
  local suite=$1 target=$2 work uri keyring item package path unpacked
  shift 2
  mkdir -p "$target" "$cairn_cache"
  work=$(mktemp -d "$cairn_cache/debs.XXXXXX")
  while read -r uri keyring; do
    private_apt "$work/apt" "$uri" "$keyring" "$suite"
    apt-get "${apt_options[@]}" update >>"$work/log" 2>&1 </dev/null || continue
    unpacked=
    for item in "$@"; do
      package=${item%%:*} path=${item#*:}
      if [ "$package" != "$unpacked" ]; then
        rm -rf "$work/deb"
        mkdir -p "$work/deb/root"
        (cd "$work/deb" && apt-get "${apt_options[@]}" download "$package" && dpkg -x ./*.deb root) \
          >>"$work/log" 2>&1 </dev/null || continue 2
        unpacked=$package
      fi
      install -m755 "$work/deb/root/$path" "$target/${path##*/}" || continue 2
      (cd "$work/deb" && dpkg-deb -f ./*.deb Version) >"$target/$package.version"
    done
    rm -rf "$work"
    return 0
  done < <(debian_archives)
  tail -n 10 "$work/log" >&2 || true
  rm -rf "$work"
  return 1
}

# The servers that bench/compare measures Cairn against, newest first: they must sync on each write if asked to.
fetch_peers() {
  local dir=$cairn_cache/peers suite start=$SECONDS
  if [ -x "$dir/etcd" ] && [ -x "$dir/nats-server" ]; then
    note "etcd $(cat "$dir/etcd-server.version"), nats-server $(cat "$dir/nats-server.version") in $dir"
    return
  fi
  for suite in sid trixie; do
    if fetch_programs "$suite" "$dir" etcd-server:usr/bin/etcd nats-server:usr/sbin/nats-server; then
      note "etcd and nats-server of $suite are in $dir ($(elapsed "$start"))"
      return
    fi
  done
  warn "could not fetch etcd-server and nats-server; bench/compare leaves out what is not there"
}

# What the tests of the metrics need: promtool judges them, prometheus scrapes them.
fetch_prometheus() {
  local dir=$cairn_cache/prometheus start=$SECONDS
  if [ -x "$dir/prometheus" ] && [ -x "$dir/promtool" ]; then
    note "prometheus $(cat "$dir/prometheus.version") in $dir"
    return
  fi
  if fetch_programs bookworm "$dir" prometheus:usr/bin/prometheus prometheus:usr/bin/promtool; then
    note "prometheus $(cat "$dir/prometheus.version") is in $dir ($(elapsed "$start"))"
  else
    warn "could not fetch prometheus; the tests that need it are skipped"
  fi
}
