-- Commands to devices, and the gaps in their numbers.

-- name: gaps_to_ask
-- Gaps that were seen long enough ago and not asked for lately. The pause doubles with the gap's age, so that a device
-- that stays away finds a few commands waiting, not thousands. Other processes pass the locked rows over.
select g.device_id, p.code || '/' || d.code, g.run, g.first_seq, g.last_seq
from sequence_gaps g
join devices d using (device_id)
join parks p using (park_id)
where g.filled_at is null
  and d.revoked_at is null
  and g.run >= 0
  and g.seen_at <= %(now)s::timestamptz - make_interval(secs => %(after_s)s)
  and (
      g.asked_at is null
      or %(now)s::timestamptz - g.asked_at >= greatest(make_interval(secs => %(pause_s)s), g.asked_at - g.seen_at)
  )
order by g.device_id, g.run, g.first_seq
limit %(limit)s
for update of g skip locked

-- name: mark_asked
update sequence_gaps g set asked_at = %(now)s
from unnest(%(device_ids)s::bigint[], %(runs)s::int[], %(firsts)s::bigint[]) as asked (device_id, run, first_seq)
where g.device_id = asked.device_id and g.run = asked.run and g.first_seq = asked.first_seq

-- name: lately_asked
-- Devices that have been sent this command since a moment: at most one a minute each.
select distinct device_id from commands
where device_id = any(%(device_ids)s) and command = %(command)s and created_at > %(since)s

-- name: add_command
insert into commands (command_id, device_id, command, args, created_at, expires_at)
values (%(command_id)s, %(device_id)s, %(command)s, %(args)s, %(created_at)s, %(expires_at)s)

-- name: add_results
-- A device answers for itself only. The first answer to a command holds.
with given as (
    select *
    from unnest(
        %(device_ids)s::bigint[], %(told_runs)s::int[], %(told_seqs)s::bigint[], %(times)s::timestamptz[],
        %(command_ids)s::uuid[], %(oks)s::boolean[], %(details)s::text[], %(runs)s::int[], %(seqs)s::bigint[]
    ) as g (device_id, told_run, told_seq, event_time, command_id, ok, detail, run, seq)
), answered as (
    update commands c
    set result = json_build_object('ok', g.ok, 'detail', g.detail), answered_at = %(recorded_at)s
    from given g
    where c.command_id = g.command_id and c.device_id = g.device_id and c.answered_at is null
)
insert into gate_actions (device_id, run, seq, told_run, told_seq, event_time, did, by_fallback, command_id)
select g.device_id, coalesce(d.run, g.run), coalesce(d.seq, g.seq), g.told_run, g.told_seq, g.event_time,
       case when g.ok then '' else 'refused: ' end || coalesce(g.detail, ''), d.run is null, d.command_id
from given g
left join gate_decisions d on d.command_id = g.command_id and d.device_id = g.device_id
where coalesce(d.seq, g.seq) is not null
on conflict do nothing
