-- Leased client ids of the MqttSource. clock_timestamp() is meant here, as in positions.sql.

-- name: claim_free
update mqtt_sessions s
set owner = %(worker)s, epoch = s.epoch + 1, drained_at = null,
    through_at = case when s.drained_at is null then s.through_at end,
    leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
from (
    select client_id from mqtt_sessions
    where starts_with(client_id, %(prefix)s)
      and substr(client_id, length(%(prefix)s) + 1) ~ '^[0-9]{1,9}$'
      and (owner is null or leased_until < clock_timestamp())
    order by drained_at nulls first, client_id
    limit 1
    for update skip locked
) free
where s.client_id = free.client_id
returning s.client_id, s.epoch

-- name: make_session
insert into mqtt_sessions (client_id, owner, epoch, leased_until)
select
    %(prefix)s || coalesce(max(substr(client_id, length(%(prefix)s) + 1)::int) + 1, 0), %(worker)s, 1,
    clock_timestamp() + make_interval(secs => %(lease_s)s)
from mqtt_sessions
where starts_with(client_id, %(prefix)s) and substr(client_id, length(%(prefix)s) + 1) ~ '^[0-9]{1,9}$'
on conflict do nothing
returning client_id, epoch

-- name: renew
update mqtt_sessions
set leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
where owner = %(worker)s
returning client_id, epoch

-- name: adopt
update mqtt_sessions s
set owner = %(worker)s, epoch = s.epoch + 1, leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
from (
    select client_id from mqtt_sessions
    where starts_with(client_id, %(prefix)s)
      and substr(client_id, length(%(prefix)s) + 1) ~ '^[0-9]{1,9}$'
      and drained_at is null
      and owner is distinct from %(worker)s
      and (owner is null or leased_until < clock_timestamp())
    order by client_id
    limit 1
    for update skip locked
) orphan
where s.client_id = orphan.client_id
returning s.client_id, s.epoch

-- name: mark_through
update mqtt_sessions s
set through_at = greatest(s.through_at, %(through)s::timestamptz)
from unnest(%(client_ids)s::text[], %(epochs)s::bigint[]) as held (client_id, epoch)
where s.client_id = held.client_id and s.epoch = held.epoch and s.owner = %(worker)s

-- name: mark_drained
update mqtt_sessions
set owner = null, leased_until = null, drained_at = clock_timestamp()
where client_id = %(client_id)s and epoch = %(epoch)s and owner = %(worker)s
returning client_id

-- name: release
update mqtt_sessions set owner = null, leased_until = null where owner = %(worker)s
