-- Values of readings that matter to somebody's terms, beside those built into the fold. Only added to, under the
-- reference lock; of several rows of one value the oldest valid_from counts. They follow from the terms, which are in
-- the log, so that verification derives them again.

create table levels (
    quantity    text not null,              -- of readings: temperature_c
    value       double precision not null,
    valid_from  timestamptz not null,
    recorded_at timestamptz not null,
    recorded_by text not null,
    primary key (quantity, value, valid_from)
);
