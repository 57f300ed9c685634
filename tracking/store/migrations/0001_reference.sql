-- Parks, parties, places, devices, things. Reference data is append-only revisions with intervals of validity;
-- moments come from the caller, never from now(), so that a simulated clock drives everything.

create table parks (
    park_id     bigint generated always as identity primary key,
    code        text not null unique check (code ~ '^[A-Za-z0-9_-]{1,64}$'),
    name_en     text not null default '',
    name_zh     text not null default '',
    time_zone   text not null default 'Asia/Shanghai'
);

-- Zones and corridors share one table: an area is a zone (polygon) or a corridor (line with a tolerance).
create table areas (
    area_id     bigint generated always as identity primary key,
    park_id     bigint not null references parks,
    code        text not null unique check (code ~ '^[A-Za-z0-9_-]{1,64}$'),
    kind        text not null
);

create table area_revisions (
    area_id     bigint not null references areas,
    revision    int not null,
    valid_from  timestamptz not null,
    valid_to    timestamptz,
    geometry    jsonb,             -- GeoJSON Polygon, MultiPolygon or LineString, WGS-84; null: the area ends here
    tolerance_m double precision,  -- corridors only
    properties  jsonb not null default '{}',
    recorded_at timestamptz not null,
    recorded_by text not null,
    primary key (area_id, revision),
    check (valid_to is null or valid_to > valid_from)
);

-- One row. Batches read `revision` under a shared advisory lock; editors take the lock exclusively.
create table reference_state (
    singleton   boolean primary key default true check (singleton),
    revision    bigint not null default 0
);
insert into reference_state default values;

create table devices (
    device_id           bigint generated always as identity primary key,
    park_id             bigint not null references parks,
    code                text not null check (code ~ '^[A-Za-z0-9_-]{1,64}$'),
    kind                text not null default 'tracker',
    name                text not null default '',
    dialect             text not null default 'native',
    datum               text not null default 'wgs84' check (datum in ('wgs84', 'gcj02', 'bd09')),
    expected_every_s    int not null default 60 check (expected_every_s > 0),
    registered_at       timestamptz not null,
    revoked_at          timestamptz,
    unique (park_id, code)
);

create table device_credentials (
    credential_id   bigint generated always as identity primary key,
    device_id       bigint not null references devices,
    scheme          text not null,      -- 'scrypt', 'mosquitto-sha512'
    hash            text not null,
    created_at      timestamptz not null,
    revoked_at      timestamptz
);
create index on device_credentials (device_id) where revoked_at is null;

create table things (
    thing_id    bigint generated always as identity primary key,
    uri         text not null unique,   -- EPC URI, GS1 Digital Link, or our own URN
    kind        text not null,          -- container, vehicle, handling_unit, seal, asset, parcel
    label       text not null           -- what people call it: BNDU1000010, 苏E1289K
);
create index on things (upper(label) text_pattern_ops);

create table attachments (
    attachment_id   bigint generated always as identity primary key,
    device_id       bigint not null references devices,
    thing_id        bigint not null references things,
    role            text not null default 'primary' check (role in ('primary', 'secondary', 'sensor', 'seal')),
    valid_from      timestamptz not null,
    valid_to        timestamptz,
    recorded_at     timestamptz not null,
    superseded_at   timestamptz,
    check (valid_to is null or valid_to > valid_from)
);
create index on attachments (device_id, valid_from) where superseded_at is null;
create index on attachments (thing_id, valid_from) where superseded_at is null;

create table api_keys (
    api_key_id  bigint generated always as identity primary key,
    name        text not null,
    hash        bytea not null unique,  -- SHA-256 of a 256-bit random key
    created_at  timestamptz not null,
    revoked_at  timestamptz
);
