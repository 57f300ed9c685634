-- What the record transaction writes: batches, tracks, milestones, work, positions, rejections.
-- (observations and readings come in 0003, as hypertables or as native partitions.)

create table batches (
    batch_id    bigint generated always as identity primary key,
    source      text not null,
    worker      text not null,
    recorded_at timestamptz not null,
    events      int not null,
    root        bytea not null      -- RFC 9162 Merkle root over the raw event bytes, leaf i is observation.leaf = i
);

-- Everything about a device in one value: heard ranges, fold state, snapshot counter. msgpack, see tracks/state.py.
create table device_tracks (
    device_id   bigint primary key references devices,
    state       bytea not null,
    head_time   timestamptz         -- event time of the newest folded observation
) with (fillfactor = 50);

create table track_snapshots (
    device_id   bigint not null references devices,
    time        timestamptz not null,
    run         int not null,
    seq         bigint not null,
    state       bytea not null,
    primary key (device_id, time, run, seq)
);

create table milestones (
    milestone_id    bigint generated always as identity primary key,
    device_id       bigint not null references devices,
    time            timestamptz not null,   -- when it happened
    kind            text not null,
    area            text,
    detail          jsonb not null default '{}',
    -- the observation at which the fold knew it (run -1, seq -1: the passing of time)
    at_time         timestamptz not null,
    at_run          int not null,
    at_seq          bigint not null,
    fold_version    int not null,
    recorded_at     timestamptz not null,
    superseded_at   timestamptz             -- null: what we hold true now
);
create index on milestones (device_id, time) where superseded_at is null;
create index on milestones (device_id, at_time) where superseded_at is null;

create table sequence_gaps (
    device_id       bigint not null references devices,
    run             int not null,
    first_seq       bigint not null,
    last_seq        bigint not null,
    seen_at         timestamptz not null,
    filled_at       timestamptz,
    asked_at        timestamptz,
    primary key (device_id, run, first_seq)
);
create index on sequence_gaps (seen_at) where filled_at is null;

create table event_ids (
    device_id   bigint not null references devices,
    id          text not null,
    seq         bigint not null,
    event_time  timestamptz not null,
    recorded_at timestamptz not null,
    primary key (device_id, id)
);
create index on event_ids (recorded_at);

create table rejections (
    rejection_id    bigint generated always as identity primary key,
    key             bytea not null unique,  -- SHA-256, so that a repeat of the same message is not a second row
    topic           text not null,
    payload         bytea not null,
    properties      jsonb not null default '{}',
    reason          text not null,
    detail          text not null,
    device_id       bigint references devices,
    run             int,
    seq             bigint,
    received_at     timestamptz not null,
    recorded_at     timestamptz not null,
    replayed_at     timestamptz
);
create index on rejections (recorded_at);
create index on rejections (device_id, run, seq);

create table arrival_notes (
    note_id     bigint generated always as identity primary key,
    device_id   bigint references devices,
    kind        text not null,      -- late_batch, clock_skew, duplicates, unknown_device, unreachable
    first_at    timestamptz not null,
    last_at     timestamptz not null,
    count       bigint not null,
    detail      jsonb not null default '{}'
);
create index on arrival_notes (device_id, last_at);

create table source_positions (
    source      text not null,
    partition   int not null,
    sequence    bigint not null default 0,
    epoch       bigint not null default 0,
    owner       text,
    leased_until timestamptz,
    through_at  timestamptz,        -- broker time up to which everything of this partition is recorded
    primary key (source, partition)
) with (fillfactor = 50);

-- Who is alive and shares a source's partitions, so that a newcomer without any is counted too.
create table source_workers (
    source       text not null,
    worker       text not null,
    leased_until timestamptz not null,
    primary key (source, worker)
) with (fillfactor = 50);

-- Client ids of the MqttSource: stable, leased; a dead worker's session is adopted and drained.
create table mqtt_sessions (
    client_id    text primary key,
    owner        text,
    epoch        bigint not null default 0,
    leased_until timestamptz,
    through_at   timestamptz,
    drained_at   timestamptz
);

-- Work for the judge. due_at is event time: the row is ready when the watermark has passed it.
create table work (
    work_id         bigint generated always as identity primary key,
    kind            text not null check (kind in ('refold', 'device', 'shipment', 'device_due', 'shipment_due')),
    key             bigint not null,        -- device_id or shipment_id
    changed_from    timestamptz not null,
    due_at          timestamptz not null default '-infinity',
    urgent          boolean not null default false
);
create index on work (urgent desc, due_at, work_id);
create unique index on work (kind, key) where kind in ('device_due', 'shipment_due');
