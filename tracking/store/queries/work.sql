-- The judge's work. Ready means: due_at has passed the watermark; -infinity is ready always.

-- name: take
-- Urgent first, then by due time. The rows stay locked until the judge commits; other judges pass them over.
with first as materialized (
    select distinct kind, key
    from (
        select kind, key
        from work
        where due_at <= coalesce(%(watermark)s::timestamptz, '-infinity') and kind = any(%(kinds)s)
        order by urgent desc, due_at, work_id
        limit %(limit)s
        for update skip locked
    ) ready
)
select w.work_id, w.kind, w.key, w.changed_from, nullif(w.due_at, '-infinity'), w.urgent
from work w
join first using (kind, key)
where w.due_at <= coalesce(%(watermark)s::timestamptz, '-infinity')
order by w.urgent desc, w.due_at, w.work_id
for update of w skip locked

-- name: finish
delete from work where work_id = any(%(work_ids)b::bigint[])

-- name: backlog
select count(*), count(*) filter (where urgent)
from work
where due_at <= coalesce(%(watermark)s::timestamptz, '-infinity')

-- name: unfinished
-- A change is owed whatever its due_at: a re-fold carries its newest late observation there, and what failed was put
-- off. Of the due rows those are owed that the watermark has passed; the others only stand watch.
select count(*)
from work
where kind not in ('device_due', 'shipment_due') or due_at <= coalesce(%(watermark)s::timestamptz, '-infinity')

-- name: put_off
update work set due_at = %(due_at)s where work_id = any(%(work_ids)b::bigint[])
