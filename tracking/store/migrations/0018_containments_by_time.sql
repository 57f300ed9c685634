-- What went into things during a day is asked for all vehicles at once, and a day is little of what there is in years.
create index containments_begun on containments (valid_from) where superseded_at is null;
