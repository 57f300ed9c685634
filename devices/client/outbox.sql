-- The outbox of one device. Statements are run one by one, in one transaction, whenever the file is opened.

-- format, device, run, last_seq: what must outlive every row below.
create table if not exists facts_of_this_file (name text primary key, value text not null) without rowid;

-- Events that wait for their receipt, and confirmed ones for as long as they may be asked for.
create table if not exists events (
    seq       integer primary key,
    body      blob not null,
    confirmed integer not null default 0
);
create index if not exists waiting on events (seq) where confirmed = 0;

-- What the gateway will never take, for a person to look at.
create table if not exists rejected (
    seq     integer primary key,
    body    blob not null,
    reason  text not null,
    detail  text not null,
    at_ms   integer not null
);

-- Commands, known until long after their answer is stored, because brokers deliver at least once.
create table if not exists commands (
    id      text primary key,
    body    blob not null,
    done    integer not null default 0,
    at_ms   integer not null
);
create index if not exists undone on commands (at_ms) where done = 0;
