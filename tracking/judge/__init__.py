"""Judge: from what is recorded to findings, alerts and commands.

Each piece of work is one transaction that ends with its row deleted, so nothing recorded stays unjudged and
nothing is judged twice to a different end.

loop         takes work until told to stop: due moments, then shipments; re-folds in a thread of their own
passing      due devices: time passes as far as the watermark, and silence is told at its exact moment
refolding    late observations: a device's track again, from the snapshot before them
judging      shipments: gather facts, fold custody, commit findings, alerts and the next look
gather       rows -> Facts
outcome      what changes between the findings that stand and those that hold now
announce     alerts for sirens, displays and the API
places       zones and corridors as of one revision
resend       asks devices for the numbers they skipped
relay        outbox -> MQTT, at least once, by any number of processes
upkeep       partitions ahead, old rows forgotten
measures     what of it Prometheus sees
"""

from tracking.judge.places import Progress, refold_progress, replan_after_place_change

__all__ = ["Progress", "refold_progress", "replan_after_place_change"]
