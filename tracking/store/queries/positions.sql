-- Leases, positions and the watermark. clock_timestamp() is meant here: leases are about this database's clock.

-- name: make_partitions
insert into source_positions (source, partition)
select %(source)s, partition from generate_series(0, %(partitions)s - 1) as partition
where (select count(*) from source_positions where source = %(source)s) < %(partitions)s
on conflict do nothing

-- name: say_alive
insert into source_workers (source, worker, leased_until)
values (%(source)s, %(worker)s, clock_timestamp() + make_interval(secs => %(lease_s)s))
on conflict (source, worker) do update set leased_until = excluded.leased_until

-- name: say_dead
delete from source_workers where source = %(source)s and worker = %(worker)s

-- name: forget_dead
delete from source_workers
where (source, worker) in (
    select source, worker from source_workers
    where source = %(source)s and worker <> %(worker)s and leased_until < clock_timestamp()
    for update skip locked
)

-- name: renew
update source_positions p
set leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
from (
    select source, partition from source_positions
    where source = %(source)s and owner = %(worker)s
    for update skip locked
) mine
where p.source = mine.source and p.partition = mine.partition

-- name: fair_share
-- Every living worker gets the same number; what is left over goes to the first by name.
select
    %(partitions)s / count(*) + (count(*) filter (where worker < %(worker)s) < %(partitions)s %% count(*))::int,
    (select count(*) from source_positions where source = %(source)s and owner = %(worker)s)
from source_workers
where source = %(source)s and (worker = %(worker)s or leased_until >= clock_timestamp())

-- name: give_up
update source_positions p
set owner = null, leased_until = null
from (
    select source, partition from source_positions
    where source = %(source)s and owner = %(worker)s
    order by partition desc
    limit %(count)s
    for update skip locked
) surplus
where p.source = surplus.source and p.partition = surplus.partition

-- name: claim
update source_positions p
set owner = %(worker)s, epoch = p.epoch + 1, leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
from (
    select source, partition from source_positions
    where source = %(source)s
      and owner is distinct from %(worker)s
      and (owner is null or leased_until < clock_timestamp())
    order by partition
    limit %(count)s
    for update skip locked
) free
where p.source = free.source and p.partition = free.partition

-- name: held
select partition, epoch, sequence, through_at
from source_positions
where source = %(source)s and owner = %(worker)s
order by partition

-- name: release
update source_positions set owner = null, leased_until = null where source = %(source)s and owner = %(worker)s

-- name: advance
-- The fence: a row that another worker has taken over, or that stands elsewhere, is not matched.
update source_positions p
set sequence = step.new,
    through_at = greatest(p.through_at, %(through)s::timestamptz),
    leased_until = greatest(p.leased_until, clock_timestamp() + make_interval(secs => %(lease_s)s))
from unnest(%(partitions)b::int[], %(old)b::bigint[], %(new)b::bigint[], %(epochs)b::bigint[])
    as step (partition, old, new, epoch)
where p.source = %(source)s
  and p.partition = step.partition
  and p.sequence = step.old
  and p.epoch = step.epoch
  and p.owner = %(worker)s
returning p.partition

-- name: mark_through
-- What a batch is moving is passed over: the batch says itself how far it goes, and nobody waits in a ring.
update source_positions p
set through_at = greatest(p.through_at, %(through)s::timestamptz)
from (
    select source, partition
    from source_positions
    join unnest(%(partitions)b::int[], %(epochs)b::bigint[]) as held (partition, epoch) using (partition, epoch)
    where source = %(source)s and owner = %(worker)s
    for update of source_positions skip locked
) mine
where p.source = mine.source and p.partition = mine.partition

-- name: watermark
-- A drained session has nothing left to say. One null means: not known, so nothing may come due.
select case when bool_and(through_at is not null) then min(through_at) end
from (
    select source, through_at from source_positions
    union all
    select 'mqtt', through_at from mqtt_sessions where drained_at is null
) reached
where source not in (select source from retired_sources) and (%(source)s::text is null or source = %(source)s)

-- name: retire_others
insert into retired_sources (source, retired_at)
select source, clock_timestamp()
from (
    select source, owner, leased_until from source_positions
    union all
    select 'mqtt', owner, leased_until from mqtt_sessions
) known
where source <> %(source)s
group by source
having bool_and(owner is null or leased_until < clock_timestamp())
on conflict do nothing
returning source

-- name: take_up
delete from retired_sources where source = %(source)s

-- name: retire
insert into retired_sources (source, retired_at) values (%(source)s, clock_timestamp()) on conflict do nothing

-- name: retire_ended_replays
-- Recordings that were played before: nobody reads them now.
insert into retired_sources (source, retired_at)
select source, clock_timestamp()
from source_positions
where source <> %(source)s and source like 'replay %%'
group by source
having bool_and(owner is null or leased_until < clock_timestamp())
on conflict do nothing

-- name: has_other_record
select exists (select from batches where source not like 'replay %%')

-- name: begin_at
insert into source_positions (source, partition, through_at) values (%(source)s, 0, %(through)s)
on conflict do nothing
returning true
