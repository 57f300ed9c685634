-- Partitions and chunks of observations and readings.

-- name: is_partitioned
-- False where TimescaleDB keeps the series.
select relkind = 'p' from pg_class where oid = 'observations'::regclass

-- name: which_exist
-- Which of these tables are there. A partition is made and attached in one transaction, so there means attached.
select relname from pg_class where relnamespace = current_schema()::regnamespace and relname = any(%(names)s)

-- name: partitions
-- The partitions of a series, oldest first, and whether a concurrent detach was interrupted.
select c.relname, i.inhdetachpending
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = %(series)s::text::regclass
order by c.relname

-- name: chunks
-- Those of a series that end by a moment, oldest first.
select format('%%s.%%s', chunk_schema, chunk_name)
from timescaledb_information.chunks
where hypertable_name = %(series)s and range_end <= %(before)s
order by range_start
