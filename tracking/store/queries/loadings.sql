-- What was loaded on vehicles, and how the things aboard stand with customs.

-- name: loadings
-- Of each vehicle into which something went during [since, until): how many things went in, how many of them came
-- out again before `until`, and of those aboard then how many belong to shipments, and what customs' newest word on
-- them is. A word that names the thing goes before one about its shipment, as rule E5 has it. The first row has no
-- vehicle: it counts all of them, also those that the page leaves out.
with loaded as (
    select c.parent_id, c.child_id, min(c.valid_from) as since, bool_or(coalesce(c.valid_to, 'infinity') >= %(until)s) as is_aboard
    from containments c join things v on v.thing_id = c.parent_id
    where c.superseded_at is null and v.kind = 'vehicle' and c.valid_from >= %(since)s and c.valid_from < %(until)s
      and (%(vehicles)s::text[] is null or v.uri = any(%(vehicles)s))
    group by c.parent_id, c.child_id
), goods as (
    select l.parent_id, l.child_id, l.is_aboard, st.shipment_id
    from loaded l
    left join lateral (
        select shipment_id from shipment_things s
        where s.thing_id = l.child_id and coalesce(s.valid_to, 'infinity') > l.since
        order by s.entry desc limit 1) st on true
), words as (
    select g.*, coalesce(
        (select d.body ->> 'state' from document_links k join documents d using (entry)
         where k.thing_id = g.child_id and d.kind = 'release' and d.time < %(until)s order by d.time desc, d.entry desc limit 1),
        (select d.body ->> 'state' from document_links k join documents d using (entry)
         where k.shipment_id = g.shipment_id and d.kind = 'release' and d.time < %(until)s
           and not exists (select from document_links t where t.entry = d.entry and t.thing_id is not null)
         order by d.time desc, d.entry desc limit 1)) as word
    from goods g
), counted as (
    select v.label as vehicle, v.uri, count(distinct w.parent_id) as vehicles,
           count(w.parent_id) as loaded,
           count(*) filter (where not w.is_aboard) as pulled_back,
           count(*) filter (where w.is_aboard) as aboard,
           count(*) filter (where w.is_aboard and w.shipment_id is not null) as under_custody,
           count(*) filter (where w.is_aboard and w.shipment_id is null) as others,
           count(*) filter (where w.is_aboard and w.word = 'released') as released,
           count(*) filter (where w.is_aboard and w.word = 'hold') as held,
           count(*) filter (where w.is_aboard
               and coalesce(w.word, case when w.shipment_id is null then 'released' end) = 'released') as may_leave
    from words w join things v on v.thing_id = w.parent_id
    group by grouping sets ((), (v.label, v.uri))
)
select * from counted
where uri is null or %(label)s::text is null or (vehicle, uri) > (%(label)s, %(uri)s)
order by uri is not null, vehicle, uri
limit %(limit)s + 1
