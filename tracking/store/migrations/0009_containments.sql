-- Things in things: what was scanned or reported, and the intervals that follow from it.

-- Facts, never changed. Those of scans are written with their observation; a device's row names it.
create table containment_events (
    event_id    bigint generated always as identity primary key,
    child_id    bigint not null references things,
    parent_id   bigint references things,       -- null: out of whatever it is in
    action      text not null,                  -- loading, unloading ... or ADD, DELETE, OBSERVE
    quantity    double precision,               -- null: all of it
    event_time  timestamptz not null,
    device_id   bigint references devices,      -- null: reported, not observed
    run         int not null default -1,
    seq         bigint not null default -1,
    reported_by text not null default '',
    recorded_at timestamptz not null
);
-- The same said again is one event; the child first, because a child is folded whole.
create unique index containment_events_once on containment_events
    (child_id, event_time, device_id, run, seq, action, parent_id, quantity, reported_by) nulls not distinct;

-- Derived: child in parent during [valid_from, valid_to), as we held it from recorded_at to superseded_at.
create table containments (
    containment_id bigint generated always as identity primary key,
    child_id    bigint not null references things,
    parent_id   bigint not null references things,
    valid_from  timestamptz not null,
    valid_to    timestamptz,
    quantity    double precision,
    began       jsonb not null,
    ended       jsonb,
    recorded_at timestamptz not null,
    superseded_at timestamptz,
    check (valid_to is null or valid_to > valid_from)
);
create index containments_child on containments (child_id, valid_from) where superseded_at is null;
-- What is inside now comes first: a truck's years of past loads are never read for what happens today.
create index containments_parent on containments (parent_id, (coalesce(valid_to, 'infinity'::timestamptz)))
    where superseded_at is null;

-- Derived: what is said of a child can't all be true during [valid_from, valid_to).
create table containment_conflicts (
    conflict_id bigint generated always as identity primary key,
    child_id    bigint not null references things,
    kind        text not null,
    parents     text[] not null,
    valid_from  timestamptz not null,
    valid_to    timestamptz,
    evidence    jsonb not null,
    recorded_at timestamptz not null,
    superseded_at timestamptz
);
create index containment_conflicts_child on containment_conflicts (child_id) where superseded_at is null;

-- A thing is to be folded; whoever is in a thing is to be judged.
alter table work drop constraint work_kind_check;
alter table work add constraint work_kind_check
    check (kind in ('refold', 'device', 'shipment', 'device_due', 'shipment_due', 'thing', 'contents'));
