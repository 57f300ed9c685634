-- The log and its signed heads.

-- name: horizon
-- Every transaction with a lower number has ended.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint

-- name: newest_transaction
-- No transaction with this number or a higher one had begun to write.
select pg_snapshot_xmax(pg_current_snapshot())::text::bigint

-- name: number_findings
-- Versions of a shipment's findings are committed one after another, under its lock: their keys are their order.
insert into ledger (finding_version, shipment_id, number)
select f.finding_version, f.shipment_id,
       coalesce((select max(number) from ledger l where l.shipment_id = f.shipment_id), 0)
       + row_number() over (partition by f.shipment_id order by f.finding_version)
from findings f
where f.finding_version > %(after)s
  and not exists (select from ledger l where l.finding_version = f.finding_version)

-- name: append
insert into log (index, kind, key, leaf_hash)
select %(first)s + place - 1, kind, key, leaf_hash
from unnest(%(kinds)s::text[], %(keys)s::bigint[], %(hashes)s::bytea[]) with ordinality as l (kind, key, leaf_hash, place)

-- name: add_nodes
insert into log_nodes (level, position, hash)
select * from unnest(%(levels)s::smallint[], %(positions)s::bigint[], %(hashes)s::bytea[])

-- name: newest_head
select size, frontier from checkpoints order by size desc limit 1

-- name: add_checkpoint
insert into checkpoints (size, root, made_at, key_id, signature, frontier)
values (%(size)s, %(root)s, %(made_at)s, %(key_id)s, %(signature)s, %(frontier)s)

-- name: end_other_keys
update log_keys set valid_to = %(at)s where key_id <> %(key_id)s and valid_to is null

-- name: add_key
insert into log_keys (key_id, public_key, valid_from) values (%(key_id)s, %(public_key)s, %(at)s)
on conflict (key_id) do nothing

-- name: checkpoints
select size, root, made_at, key_id, signature from checkpoints
where size < coalesce(%(below)s, 9223372036854775807) order by size desc limit %(limit)s

-- name: keys
select key_id, public_key, valid_from, valid_to from log_keys order by log_key_id

-- name: entry
select index, kind, key, leaf_hash from log where index = %(index)s

-- name: entry_of
select index, kind, key, leaf_hash from log where kind = %(kind)s and key = %(key)s

-- name: hashes
select leaf_hash from log where index >= %(begin)s and index < %(end)s order by index

-- name: nodes
select hash from log_nodes where level = %(level)s and position >= %(begin)s and position < %(end)s order by position
