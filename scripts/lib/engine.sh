# shellcheck shell=bash
# A container engine for scripts/test --compose: the one that runs here, or Debian's, started for the test and ended
# after it; the base image made of Debian's packages when it is not there; compose v2, fetched when there is none.
# Needs common.sh, packages.sh, caf.sh and debs.sh.

readonly base_image=${CAIRN_BASE:-debian:bookworm-slim}
engine_pid=

ensure_engine() { # LOG
  local log=$1 waited=0
  command -v docker >/dev/null || install_packages compose
  if docker info >/dev/null 2>&1; then
    note "the engine of this machine: $(docker version --format '{{.Server.Version}}')"
    return
  fi
  [ "$(id -u)" -eq 0 ] || die "no container engine answers ('docker info'), and only root can start one"
  install_packages compose
  # Left behind by an engine that was killed, which then refuses to start.
  if [ -s /var/run/docker.pid ] && [ "$(cat "/proc/$(cat /var/run/docker.pid)/comm" 2>/dev/null)" != dockerd ]; then
    rm -f /var/run/docker.pid
  fi
  mkdir -p "$(dirname "$log")"
  setsid dockerd >"$log" 2>&1 </dev/null &
  engine_pid=$!
  disown "$engine_pid"
  until docker info >/dev/null 2>&1; do
    sleep 0.2
    waited=$((waited + 1))
    if [ "$waited" -ge 150 ] || ! kill -0 "$engine_pid" 2>/dev/null; then
      tail -n 20 "$log" >&2
      die "the container engine did not start (whole output: $log)"
    fi
  done
  note "an engine of our own: $(docker version --format '{{.Server.Version}}') (output: $log)"
}

# Ends the engine if it is ours, and takes away what it left in the network.
end_engine() {
  [ -n "$engine_pid" ] || return 0
  kill "$engine_pid" 2>/dev/null || true
  while kill -0 "$engine_pid" 2>/dev/null; do sleep 0.1; done
  engine_pid=
  ip link del docker0 2>/dev/null || true
}

# `FROM debian:bookworm-slim` without a registry: a minimal system out of the archives that this machine uses itself.
ensure_base_image() {
  docker image inspect "$base_image" >/dev/null 2>&1 && return
  local sources=/etc/apt/sources.list.d/debian.sources log=$cairn_cache/base-image.log
  if [ "$(id -u)" -ne 0 ] || [ ! -f "$sources" ] || [ "${base_image%%:*}" != debian ]; then
    note "the base image $base_image is not here; the engine will look for it"
    return
  fi
  install_packages compose
  note "making the base image $base_image out of packages: half a minute"
  if ! mmdebstrap --variant=apt --aptopt='Acquire::Languages "none"' bookworm - "$sources" 2>"$log" |
    docker import --change 'CMD ["bash"]' - "$base_image" >/dev/null; then
    tail -n 20 "$log" >&2
    die "could not make the base image (whole output: $log)"
  fi
}

# -> compose: the command line of compose v2.
ensure_compose() {
  local plugin=$cairn_cache/engine/docker-compose
  if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
    return
  fi
  if [ ! -x "$plugin" ]; then
    note "fetching compose v2"
    fetch_programs trixie "$cairn_cache/engine" docker-compose:usr/libexec/docker/cli-plugins/docker-compose ||
      die "this engine has no 'docker compose', and it could not be fetched"
  fi
  # shellcheck disable=SC2034 # the sourcing script runs it
  compose=("$plugin")
}
