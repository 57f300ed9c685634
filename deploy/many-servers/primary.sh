#!/bin/bash
# Runs once, when the primary's cluster is made: a role that may replicate and nothing else.
set -euo pipefail
: "${REPLICATION_PASSWORD:?}"
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set=ON_ERROR_STOP=1 --set=password="$REPLICATION_PASSWORD" <<'SQL'
create role standby login replication password :'password';
SQL
echo "host replication standby all scram-sha-256" >> "$PGDATA/pg_hba.conf"
