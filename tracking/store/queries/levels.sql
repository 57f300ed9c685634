-- Levels: values of readings that matter, as terms have added them.

-- name: levels
select quantity, value, min(valid_from) from levels group by quantity, value order by quantity, value;

-- name: add_levels
insert into levels (quantity, value, valid_from, recorded_at, recorded_by)
select quantity, value, %(valid_from)s, %(recorded_at)s, %(recorded_by)s
from unnest(%(quantities)s::text[], %(values)s::double precision[]) as new (quantity, value)
on conflict (quantity, value, valid_from) do nothing;

-- name: replan_readers
-- Whoever has said something of these quantities since is folded again, and judged again in any case.
with concerned as (
    select t.device_id from device_tracks t
    where t.head_time >= %(since)s and exists (
        select from readings r
        where r.device_id = t.device_id and r.quantity = any(%(quantities)s) and r.event_time >= %(since)s
    )
), planned as (
    insert into work (kind, key, changed_from)
    select kind, device_id, %(since)s from concerned, (values ('refold'), ('device')) as k (kind)
)
select count(*) from concerned;

-- name: all_terms
-- Every revision's limits and rules, for those who derive the levels again.
select valid_from, body from terms;
