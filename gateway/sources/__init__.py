"""Where messages come from. Two brokers and a file, one interface: ``gateway.pipeline.batch.Source``.

``jetstream``: the position lives in our database and moves with the batch; nothing is acknowledged.
``replay``: a recording; its position is a row like a partition's of JetStream.
``taps``: the brokers again, for a recorder beside the workers; ``recording``: the file that it writes.
``mqtt``: any MQTT 5 broker; PUBACK after the commit is the position.
"""
