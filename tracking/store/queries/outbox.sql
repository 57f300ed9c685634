-- The outbox of MQTT messages.

-- name: add
with added as (
    insert into outbox (topic, payload, qos, created_at)
    select unnest(%(topics)b::text[]), unnest(%(payloads)b::bytea[]), unnest(%(qos)b::smallint[]), %(created_at)s
    returning outbox_id
)
select pg_notify(%(channel)s, '') from (select count(*) from added) as written

-- name: take
select outbox_id, topic, payload, qos
from outbox
where sent_at is null
order by outbox_id
limit %(limit)s
for update skip locked

-- name: mark_sent
update outbox set sent_at = %(sent_at)s where outbox_id = any(%(outbox_ids)b::bigint[])

-- name: prune
delete from outbox where sent_at < %(before)s

-- name: age
select count(*), min(created_at) from outbox where sent_at is null
