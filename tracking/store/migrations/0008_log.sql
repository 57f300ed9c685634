-- The one append-only log, its signed heads, and the numbered custody entries of each shipment.
-- A leaf is added by the checkpointer after the row that it stands for has been committed.

create table log (
    index       bigint primary key,     -- from 0, without gaps
    kind        text not null,          -- which named query of queries/leaves.sql it stands for a row of
    key         bigint not null,        -- that row's key
    leaf_hash   bytea not null,         -- RFC 9162 hash of the row's canonical JSON
    unique (kind, key)
);

-- Full subtrees of 256, 65536 … leaves, so that a proof reads a few hundred hashes, however long the log is.
create table log_nodes (
    level       smallint not null,      -- over 2 to this power leaves
    position    bigint not null,
    hash        bytea not null,
    primary key (level, position)
);

create table log_keys (
    log_key_id  bigint generated always as identity primary key,
    key_id      text not null unique,   -- SHA-256 of the public key
    public_key  bytea not null,         -- Ed25519
    valid_from  timestamptz not null,
    valid_to    timestamptz
);

create table checkpoints (
    size        bigint primary key,
    root        bytea not null,
    made_at     timestamptz not null,
    key_id      text not null references log_keys (key_id),
    signature   bytea not null,
    frontier    bytea[] not null        -- roots of the full subtrees, to append to
);

create table ledger (
    finding_version bigint primary key references findings,
    shipment_id     bigint not null references shipments,
    number          bigint not null,    -- from 1, without gaps
    unique (shipment_id, number)
);

-- Rows that had only a composite key get one number each, to be named by in the log.
alter table area_revisions add column entry bigint generated always as identity unique;
alter table terms add column entry bigint generated always as identity unique;
alter table shipment_things add column entry bigint generated always as identity unique;
create index on devices (device_id) where revoked_at is not null;
create index on attachments (attachment_id) where superseded_at is not null;
create index on shipments (shipment_id) where closed_at is not null;
