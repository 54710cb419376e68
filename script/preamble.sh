# shellcheck shell=bash
# Sourced first by every script here: where the checkout is, which engine is meant, and the few words all of them use.
set -euo pipefail
# What is installed and built must be readable to the users that containers and Postgres run as.
umask 022

# Where the caller stands; file names on a command line are meant from there.
CALLER_DIR="$PWD"
LADING_ROOT="$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")"
cd "$LADING_ROOT"

# Without the last two, dockerd and iptables are not found by a root that came from plain `su`.
HOST_PATH="${PATH//"$LADING_ROOT/node_modules/.bin:"/}:/usr/sbin:/sbin"
PATH="$LADING_ROOT/node_modules/.bin:$HOST_PATH"

# The docker command and our own code must mean the same engine; the command alone would obey a `docker context`.
DOCKER_HOST="${DOCKER_HOST:-unix:///var/run/docker.sock}"
export LADING_ROOT CALLER_DIR HOST_PATH PATH DOCKER_HOST

MACHINE_LOCK_LIMIT_S=1200

say() { printf '%s\n' "$*" >&2; }

# fail CODE MESSAGE: codes after sysexits.h, 69 is "something this machine should provide is not there".
fail() {
  local code="$1"
  shift
  say "$*"
  exit "$code"
}

# Held until the script ends, so that two checkouts do not race for apt, dockerd or an image tag. Fd 9 is closed for
# whatever outlives the script: a daemon that inherits it would hold the lock for ever.
lock_machine() {
  local dir=/run/lock file
  [[ -w $dir ]] || dir=/tmp
  file="$dir/lading-bootstrap.lock"
  [[ -e $file ]] || : >"$file"
  exec 9<"$file"
  flock -n 9 && return
  say 'waiting for another bootstrap on this machine'
  flock -w "$MACHINE_LOCK_LIMIT_S" 9 || fail 75 "another bootstrap held $file for $MACHINE_LOCK_LIMIT_S s"
}

# quietly LIMIT_S COMMAND…: shows the last lines only when the command fails or outlasts its limit.
quietly() {
  local limit_s="$1" log code=0
  shift
  log="$(mktemp)"
  timeout "$limit_s" "$@" >"$log" 2>&1 || code=$?
  if ((code != 0)); then
    tail -n 30 "$log" >&2
    say "$1 failed ($code)"
  fi
  rm -f "$log"
  return "$code"
}

# debian_packages PACKAGE…: installs them, or says what to install.
debian_packages() {
  if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    fail 69 "needed: $*. On Debian, as root: apt-get install --no-install-recommends $*"
  fi
  say "installing $*"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends
    -o DPkg::Lock::Timeout=300 "$@")
  # Lists may be absent (fresh machine) or stale: then one update and a second try.
  timeout 900 "${install[@]}" >/dev/null 2>&1 9<&- && return
  quietly 300 apt-get update 9<&- || fail 69 'apt-get update failed'
  quietly 900 "${install[@]}" 9<&- || fail 69 "apt-get could not install $*"
}
