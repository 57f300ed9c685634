-- What a live map begins with.

-- name: latest
-- The page is cut before the things are looked up. Only a primary device speaks for where a thing is.
with page as materialized (
    select d.device_id, p.code || '/' || d.code as device, p.code as park, d.kind, t.state
    from devices d join parks p using (park_id) join device_tracks t using (device_id)
    where (%(park)s::text is null or p.code = %(park)s)
      and (%(after)s::bigint is null or d.device_id > %(after)s)
      and d.revoked_at is null
    order by d.device_id
    limit %(limit)s
), carried as (
    select a.device_id, array_agg(t.label order by t.label) as things
    from attachments a join things t using (thing_id)
    where a.device_id in (select device_id from page) and a.superseded_at is null and a.role = 'primary'
      and a.valid_from <= %(at)s and coalesce(a.valid_to, 'infinity') > %(at)s
    group by a.device_id
)
select page.device_id, page.device, page.park, page.kind, coalesce(carried.things, '{}'), page.state
from page left join carried using (device_id)
order by page.device_id;
