# shellcheck shell=bash disable=SC2154
# The nodes of scripts/up: one directory each, with a log and a process id. Needs common.sh, and from the sourcing
# script: data_dir, nodes, program, http_first, grpc_first, peer_first.

readonly host=127.0.0.1
readonly ready_timeout_s=60 down_timeout_s=15

node_dir() { echo "$data_dir/n$1"; }
http_port() { echo $((http_first + $1 - 1)); }
peer_address() { echo "$host:$((peer_first + $1 - 1))"; }

# The highest number of a node with one of these files in its directory; 0 when there is none.
nodes_with() { # FILE...
  local number file held=0
  for number in 1 2 3 4 5 6 7 8 9; do
    for file in "$@"; do
      if [ -e "$(node_dir "$number")/$file" ]; then held=$number; fi
    done
  done
  echo "$held"
}

# The process id of our node, empty when it does not run. A number left by a dead node may belong to
# somebody else by now, so the process must also be a cairnd that was given this directory.
node_pid() { # NUMBER
  local pid dir
  dir=$(node_dir "$1")
  pid=$(cat "$dir/cairnd.pid" 2>/dev/null) || return 0
  case $pid in '' | *[!0-9]*) return 0 ;; esac
  if tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$dir"; then
    echo "$pid"
  fi
}

all_run() {
  local number
  for number in $(seq "$nodes"); do
    [ -n "$(node_pid "$number")" ] || return 1
  done
}

# Plain HTTP with what bash has: status line, headers and body of GET PATH, empty when nobody answers.
http_get() { # NUMBER PATH
  (
    exec 3<>"/dev/tcp/$host/$(http_port "$1")" || exit 0
    printf 'GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$2" "$host" >&3
    while IFS= read -r -t 2 line || [ -n "$line" ]; do printf '%s\n' "${line%$'\r'}"; done <&3
  ) 2>/dev/null || true
}

port_taken() { (exec 3<>"/dev/tcp/$host/$1") 2>/dev/null; }

start_node() { # NUMBER
  local number=$1 dir begin others=() other
  dir=$(node_dir "$number")
  [ -z "$(node_pid "$number")" ] || return 0
  if port_taken "$(http_port "$number")"; then
    die "port $(http_port "$number") on $host is taken by another program, and node n$number needs it" \
      "(who it is: ss -ltnp 'sport = :$(http_port "$number")')"
  fi
  for other in $(seq "$nodes"); do
    [ "$other" -eq "$number" ] || others+=("$(peer_address "$other")")
  done
  # The first node begins the cluster, the others ask to be let in; what is on disk wins over both. A first node whose
  # directory has gone while others have theirs must ask as well: it may not begin a second cluster.
  begin=(--bootstrap)
  if [ "$number" -gt 1 ] || { [ ! -e "$dir/meta.toml" ] && [ "$(nodes_with meta.toml)" -gt 1 ]; }; then
    begin=(--join "$(IFS=, && echo "${others[*]}")")
  fi
  mkdir -p "$dir"
  # In a session of its own: it outlives this terminal, and Ctrl-C here is not meant for it.
  setsid "$program" --node-id "n$number" --data-dir "$dir" --http "$host:$(http_port "$number")" \
    --grpc "$host:$((grpc_first + number - 1))" --peer "$(peer_address "$number")" "${begin[@]}" \
    >>"$dir/cairnd.log" 2>&1 </dev/null &
  echo "$!" >"$dir/cairnd.pid"
  disown "$!"
}

# What a node still lacks, in a word; empty when it lacks nothing.
node_lacks() { # NUMBER
  local answer described
  answer=$(http_get "$1" /readyz)
  case $answer in
    "HTTP/1.1 200"*) ;;
    "") echo "no answer yet" && return ;;
    *) echo "not ready: $(sed -nE '$s/.*"detail":"([^"]*)".*/\1/p' <<<"$answer")" && return ;;
  esac
  [ "$nodes" -gt 1 ] || return 0
  # Any node knows; the first one to answer is asked, and it must name a leader.
  described=$(http_get "$1" /v1/logs/default)
  if ! grep -q '"leader":"[^"]' <<<"$described"; then
    echo "knows no leader yet"
  elif ! grep -o '{"node":"[^}]*}' <<<"$described" | grep "\"node\":\"n$1\"" | grep -q '"role":"voter"'; then
    echo "has no vote yet"
  fi
}

wait_for_all() {
  local number lacks said=() begun=$SECONDS waiting=1
  while [ "$waiting" -eq 1 ]; do
    waiting=0
    for number in $(seq "$nodes"); do
      [ "${said[number]:-}" != ready ] || continue
      # Not by node_pid: a process that we have just made may not be a cairnd yet.
      if ! kill -0 "$(cat "$(node_dir "$number")/cairnd.pid")" 2>/dev/null; then
        tail -n 20 "$(node_dir "$number")/cairnd.log" >&2
        rm -f "$(node_dir "$number")/cairnd.pid"
        die "node n$number has ended; the end of its log is above ($(node_dir "$number")/cairnd.log)"
      fi
      lacks=$(node_lacks "$number")
      if [ "${said[number]:-}" != "${lacks:-ready}" ]; then
        said[number]=${lacks:-ready}
        [ "${said[number]}" = "no answer yet" ] || note "n$number: ${said[number]}"
      fi
      [ -z "$lacks" ] || waiting=1
    done
    [ "$waiting" -eq 0 ] || sleep 0.1
    if [ "$waiting" -eq 1 ] && [ $((SECONDS - begun)) -ge "$ready_timeout_s" ]; then
      for number in $(seq "$nodes"); do
        if [ "${said[number]}" != ready ]; then
          tail -n 5 "$(node_dir "$number")/cairnd.log" >&2
          warn "n$number: ${said[number]} (log: $(node_dir "$number")/cairnd.log)"
        fi
      done
      die "not every node is ready after $ready_timeout_s s; they go on running (scripts/up --status, --down)"
    fi
  done
}

# One line a node; false when one does not run.
all_status() {
  local number pid all=0
  for number in $(seq "$nodes"); do
    pid=$(node_pid "$number")
    if [ -n "$pid" ]; then
      printf '  n%d  http://%s:%d  pid %d  /readyz: %s\n' "$number" "$host" "$(http_port "$number")" "$pid" \
        "$(http_get "$number" /readyz | sed -n '1s/^HTTP\/1.1 //p')"
    else
      printf '  n%d  is not running\n' "$number"
      all=1
    fi
  done
  return "$all"
}

down_all() {
  local number pid pids=() waited=0 left
  for number in $(seq "$nodes"); do
    pid=$(node_pid "$number")
    if [ -z "$pid" ]; then
      echo "node n$number is not running"
    else
      kill -TERM "$pid"
      pids[number]=$pid
    fi
  done
  while :; do
    left=
    for number in "${!pids[@]}"; do
      if kill -0 "${pids[number]}" 2>/dev/null; then
        left+=" n$number (pid ${pids[number]})"
      else
        echo "node n$number has ended (pid ${pids[number]})"
        rm -f "$(node_dir "$number")/cairnd.pid"
        unset "pids[number]"
      fi
    done
    [ -n "$left" ] || return 0
    sleep 0.1
    waited=$((waited + 1))
    if [ "$waited" -ge $((down_timeout_s * 10)) ]; then
      die "did not end within $down_timeout_s s of SIGTERM:$left; their logs are in $data_dir/nN/cairnd.log"
    fi
  done
}
