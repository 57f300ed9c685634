#!/bin/bash
# Runs once, when the primary's cluster is made: a role that may replicate and nothing else, and the standby that
# every commit waits for from the first real start on. (On the command line it would hold for the server that runs
# this script, too, which no standby can reach: it would wait for ever.)
#
# What a receipt promised then outlives the primary. With one standby it also means that nothing is recorded while
# that is away; `ANY 1 (db2, db3)` with a second one lifts that: `-- alter system set synchronous_standby_names = …`.
set -euo pipefail
: "${REPLICATION_PASSWORD:?}"
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set=ON_ERROR_STOP=1 --set=password="$REPLICATION_PASSWORD" <<'SQL'
create role standby login replication password :'password';
alter system set synchronous_standby_names = 'FIRST 1 (db2)';
SQL
echo "host replication standby all scram-sha-256" >> "$PGDATA/pg_hba.conf"
