"""Verification: what is derived is derived again, from raw events and reference data, and compared.

1. leaves    rows -> leaves: each row against its leaf in the log; intervals against the rows that end them
2. chain     leaves -> roots: the log without gaps, every checkpoint's root and signature, kept files
3. batches   raw events -> batches' roots
4. tracks    raw events -> columns, readings, milestones, snapshots, states; without those that were corrected
5. things    scans and reports -> what is in what, and where they contradict each other
6. custody   facts -> findings, how shipments stand
7. evidence  findings -> the raw events that they rest on; corrections -> what they are about

All of it reads one snapshot, so a system that is running is verified as it stood at one moment. No stored
state is trusted. What the judge has still to do is left out, and counted.
"""
