#!/bin/bash
# First start: makes the cluster, then the database. Runs as the image's user; there is no root step to drop from.
set -euo pipefail
[[ ${1-} == -* ]] && set -- postgres "$@"
[[ ${1-} == postgres ]] || exec "$@"

if [[ ! -s $PGDATA/PG_VERSION ]]; then
  password="${POSTGRES_PASSWORD-}"
  [[ -z ${POSTGRES_PASSWORD_FILE-} ]] || password="$(<"$POSTGRES_PASSWORD_FILE")"
  [[ -n $password ]] || { echo 'POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is needed' >&2; exit 1; }
  user="${POSTGRES_USER:-postgres}"
  database="${POSTGRES_DB:-$user}"
  # Made beside and moved, so that a start cut short begins again instead of finding half a cluster.
  fresh="$PGDATA.fresh"
  rm -rf "$fresh"
  mkdir -p "$fresh"
  chmod 0700 "$fresh"
  initdb --pgdata="$fresh" --username="$user" --pwfile=<(printf '%s\n' "$password") --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256 --no-instructions
  printf "listen_addresses = '*'\nunix_socket_directories = '/var/run/postgresql'\n" >>"$fresh/postgresql.conf"
  printf 'host all all all scram-sha-256\n' >>"$fresh/pg_hba.conf"
  if [[ $database != postgres ]]; then
    printf 'CREATE DATABASE "%s"\n' "${database//\"/\"\"}" | postgres --single -D "$fresh" postgres >/dev/null
  fi
  mv "$fresh" "$PGDATA"
fi
unset POSTGRES_PASSWORD
exec "$@"
