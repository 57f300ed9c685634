-- What devices say of things, found by the thing; and what people, partners and customs say of shipments, things,
-- gate passes and devices.

-- One row for each thing that a gate, a scan, a seal or a handover names; one without a thing where it names nothing.
-- What was said isn't copied: it stands in the observation.
create table mentions (
    event_time  timestamptz not null,
    seq         bigint not null,
    device_id   bigint not null references devices,
    thing_id    bigint references things,
    run         int not null,
    kind        smallint not null,                  -- observation_kinds
    is_parent   boolean not null default false      -- a scan names it only as what another thing went into or out of
);
create unique index mentions_once on mentions (device_id, run, seq, thing_id) nulls not distinct;
create index mentions_of_thing on mentions (thing_id, event_time) where thing_id is not null;

-- Facts, never changed: what was wrong is followed by another one.
create table documents (
    entry       bigint generated always as identity primary key,
    kind        text not null,          -- one of tracking/domain/custody/documents.py
    number      text not null,
    time        timestamptz not null,   -- when it took effect
    body        jsonb not null,
    source      text not null check (source in ('declared', 'reported', 'decided')),
    by          text not null,
    recorded_at timestamptz not null,
    digest      bytea not null unique   -- SHA-256 of what it says and of what: the same said again is one document
);

-- What a document is about: a shipment, a thing, a device, or one observation of a device.
create table document_links (
    entry       bigint not null references documents,
    shipment_id bigint references shipments,
    thing_id    bigint references things,
    device_id   bigint references devices,
    run         int,
    seq         bigint,
    check (num_nonnulls(shipment_id, thing_id, device_id) = 1),
    check (num_nonnulls(run, seq) in (0, 2) and (run is null or device_id is not null))
);
create unique index document_links_once on document_links (entry, shipment_id, thing_id, device_id) nulls not distinct;
create index document_links_of_shipment on document_links (shipment_id, entry) where shipment_id is not null;
create index document_links_of_thing on document_links (thing_id, entry) where thing_id is not null;
create index document_links_of_device on document_links (device_id, run, seq) where device_id is not null;

create index sequence_gaps_open on sequence_gaps (device_id) where filled_at is null;

create index rejections_reused on rejections (device_id, received_at) where reason = 'seq_reused';

-- Silences that late data have taken back: a gate that wasn't offline after all.
create index milestones_silence_withdrawn on milestones (device_id, time)
    where superseded_at is not null and kind in ('silent', 'heard');

-- Who consists of a thing is to be judged; whoever a document concerns is to be judged.
alter table work drop constraint work_kind_check;
alter table work add constraint work_kind_check check (kind in (
    'refold', 'device', 'shipment', 'device_due', 'shipment_due', 'thing', 'contents', 'goods', 'document'
));
