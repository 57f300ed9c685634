-- How much there is, for the demo and the doctor. Counts of rows, no facts of custody.

-- name: mark
-- Where the counting begins: what comes later has higher numbers.
select
    coalesce((select max(batch_id) from batches), 0),
    coalesce((select max(rejection_id) from rejections), 0),
    coalesce((select max(shipment_id) from shipments), 0),
    coalesce((select sum(count) from arrival_notes where kind = 'duplicates'), 0)::bigint

-- name: quick
-- What the batches say they recorded since the mark. Cheap enough for every second.
select
    coalesce((select sum(events) from batches where batch_id > %(batch)s), 0)::bigint,
    (select count(*) from rejections where rejection_id > %(rejection)s),
    (select count(*) from devices where revoked_at is null),
    (select count(*) from shipments where state = 'open')

-- name: of_source
-- What the batches of one source recorded, and all that stands in rejections.
select
    coalesce((select sum(events) from batches where source = %(source)s), 0)::bigint,
    (select count(*) from rejections)

-- name: recorded
-- The rows themselves, counted one by one.
select count(*) from observations where batch_id > %(batch)s

-- name: duplicates
select coalesce(sum(count), 0)::bigint from arrival_notes where kind = 'duplicates'

-- name: recorded_of
-- Which of these events the record knows, as observations or as rejections.
select count(*)
from unnest(%(park)s::text[], %(code)s::text[], %(run)s::int[], %(seq)s::bigint[]) as asked (park, code, run, seq)
join parks p on p.code = asked.park
join devices d on d.park_id = p.park_id and d.code = asked.code
where exists (
    select from observations o where o.device_id = d.device_id and o.run = asked.run and o.seq = asked.seq
) or exists (
    select from rejections r where r.device_id = d.device_id and r.run = asked.run and r.seq = asked.seq
)

-- name: alerts
-- What late data have withdrawn doesn't count.
select a.rule, count(distinct a.alert_id)
from alerts a join alert_findings af using (alert_id) join findings f on f.finding_id = af.finding_id
where a.shipment_id > %(shipment)s and f.superseded_at is null and f.state <> 'withdrawn'
group by a.rule
order by a.rule

-- name: newest_alerts
select a.severity, a.rule, s.number, a.opened_at
from alerts a
join shipments s using (shipment_id)
where s.shipment_id > %(shipment)s
  and exists (
    select from alert_findings af join findings f on f.finding_id = af.finding_id
    where af.alert_id = a.alert_id and f.superseded_at is null and f.state <> 'withdrawn'
  )
order by a.alert_id desc
limit %(limit)s

-- name: due_work
-- Work that a judge could take now, and how long the oldest has been due (seconds of event time).
select
    count(*),
    coalesce(extract(epoch from %(watermark)s - min(nullif(due_at, '-infinity')))::double precision, 0)
from work
where due_at <= %(watermark)s

-- name: waiting_outbox
select count(*), min(created_at) from outbox where sent_at is null

-- name: rejections_since
select reason, count(*) from rejections where recorded_at > %(since)s group by reason order by 2 desc

-- name: positions
-- How far each partition of a source is recorded, and until when somebody holds it.
select partition, sequence, leased_until > clock_timestamp() from source_positions where source = %(source)s

-- name: server
-- The server as the doctor sees it: version, clock, durability, size, TimescaleDB installed and offered.
select
    current_setting('server_version'),
    clock_timestamp(),
    current_setting('synchronous_commit'),
    current_setting('fsync'),
    pg_database_size(current_database()),
    (select extversion from pg_extension where extname = 'timescaledb'),
    (select default_version from pg_available_extensions where name = 'timescaledb')
