-- A certificate shows events with their path in their batch, so it reads whole batches. Batches are written one after
-- another: a summary of each range of pages finds one, and costs inserts next to nothing.
create index observations_of_a_batch on observations using brin (batch_id) with (pages_per_range = 16, autosummarize = on);
