#!/bin/bash
# A standby: copies the primary once, then follows it. The slot keeps what it has not seen yet.
set -euo pipefail
: "${PGDATA:=/var/lib/postgresql/data}" "${PRIMARY:?}" "${STANDBY:?}" "${PGUSER:?}" "${PGPASSWORD:?}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  until pg_basebackup \
    --dbname="host=$PRIMARY" --pgdata="$PGDATA" \
    --create-slot --slot="$STANDBY" --wal-method=stream --write-recovery-conf --checkpoint=fast; do
    echo "the primary isn't ready, or a copy was broken off: trying again" >&2
    psql "host=$PRIMARY replication=true" --command "DROP_REPLICATION_SLOT $STANDBY" || true
    rm -rf "${PGDATA:?}"/*
    sleep 2
  done
  # The copy has the primary's settings: once promoted, it must not wait for itself.
  echo "synchronous_standby_names = ''" >> "$PGDATA/postgresql.auto.conf"
fi
# It names itself as the one that commits wait for only now: a copy under way is no standby yet.
exec postgres -c "cluster_name=$STANDBY" -c hot_standby=on -c max_connections=400 -c max_wal_size=4GB \
  -c wal_level=replica -c max_wal_senders=4 -c max_replication_slots=4
