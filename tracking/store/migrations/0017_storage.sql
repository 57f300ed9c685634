-- What has been dropped by age, and what has been archived. Both are decisions, and in the log.

-- One week of which events were dropped, once for each time that somebody had it done.
create table retentions (
    entry       bigint generated always as identity primary key,
    week        timestamptz not null,   -- its Monday, 00:00 UTC
    events      bigint not null,        -- dropped
    devices     int not null,           -- of so many devices
    kept        int not null,           -- devices whose events stayed: evidence, or needed by a fold
    by          text not null,
    recorded_at timestamptz not null
);

-- Of a batch whose events are gone: the largest subtrees that are gone whole, so that its root can still be computed
-- from these and from the events that stayed.
create table dropped (
    batch_id    bigint not null references batches,
    begins      int not null,           -- leaves [begins, ends)
    ends        int not null,
    hash        bytea not null,
    primary key (batch_id, begins),
    check (ends > begins)
);

-- Devices of which something is gone: up to there they can't be derived again.
create table dropped_devices (
    device_id   bigint primary key references devices,
    through     timestamptz not null
);

-- Shipments whose evidence stands in an archive. When some of it has been dropped here they are judged no more.
create table archives (
    shipment_id bigint primary key references shipments,
    digest      bytea not null,         -- SHA-256 of the archive's manifest
    events      bigint not null,
    by          text not null,
    recorded_at timestamptz not null,
    dropped_at  timestamptz
);
