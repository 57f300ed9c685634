-- What people say was observed wrongly. Facts, never changed; the observation stays, and its number counts as heard.

create table corrections (
    entry       bigint generated always as identity primary key,
    device_id   bigint not null references devices,
    event_time  timestamptz not null,               -- with run and seq the observation's key
    run         int not null,
    seq         bigint not null,
    reason      text not null check (reason in ('did_not_occur', 'incorrect_data')),    -- CBV error reasons
    why         text not null check (why <> ''),
    corrective  jsonb not null,                     -- observations that tell it right: device, time, run, seq
    by          text not null,
    recorded_at timestamptz not null
);
create index corrections_of_observation on corrections (device_id, event_time, run, seq);

-- A correction was a mistake itself: the observation counts again.
create table retractions (
    entry       bigint generated always as identity primary key,
    correction  bigint not null unique references corrections,
    why         text not null check (why <> ''),
    by          text not null,
    recorded_at timestamptz not null
);

-- Which observations count is decided here and nowhere else: those that no standing correction is about. Whoever folds
-- or judges reads what counts; whoever recognises, proves or verifies what was recorded reads the tables.
create view standing_corrections as
select c.entry, c.device_id, c.event_time, c.run, c.seq
from corrections c
where not exists (select from retractions r where r.correction = c.entry);

create view counted_observations as
select o.* from observations o
where not exists (
    select from standing_corrections c
    where c.device_id = o.device_id and c.event_time = o.event_time and c.run = o.run and c.seq = o.seq
);

create view counted_readings as
select o.* from readings o
where not exists (
    select from standing_corrections c
    where c.device_id = o.device_id and c.event_time = o.event_time and c.run = o.run and c.seq = o.seq
);

create view counted_mentions as
select o.* from mentions o
where not exists (
    select from standing_corrections c
    where c.device_id = o.device_id and c.event_time = o.event_time and c.run = o.run and c.seq = o.seq
);

-- What partners report has no device, and counts.
create view counted_containment_events as
select o.* from containment_events o
where not exists (
    select from standing_corrections c
    where c.device_id = o.device_id and c.event_time = o.event_time and c.run = o.run and c.seq = o.seq
);
