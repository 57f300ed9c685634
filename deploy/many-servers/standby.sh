#!/bin/bash
# A standby: copies the primary once, then follows it. The slot keeps what it has not seen yet.
set -euo pipefail
: "${PGDATA:=/var/lib/postgresql/data}" "${PRIMARY:?}" "${STANDBY:?}" "${PGUSER:?}" "${PGPASSWORD:?}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  until pg_basebackup \
    --dbname="host=$PRIMARY application_name=$STANDBY" --pgdata="$PGDATA" \
    --create-slot --slot="$STANDBY" --wal-method=stream --write-recovery-conf --checkpoint=fast; do
    echo "the primary isn't ready, or the slot $STANDBY is left from before: trying again" >&2
    rm -rf "${PGDATA:?}"/*
    sleep 2
  done
fi
# The copy knows the primary's settings: once promoted, it must not wait for itself.
exec postgres -c synchronous_standby_names= -c hot_standby=on -c max_connections=400 -c max_wal_size=4GB \
  -c wal_level=replica -c max_wal_senders=4 -c max_replication_slots=4
