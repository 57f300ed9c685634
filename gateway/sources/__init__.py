"""Where messages come from. Two brokers, one interface: ``gateway.pipeline.batch.Source``.

``jetstream``: the position lives in our database and moves with the batch; nothing is acknowledged.
``mqtt``: any MQTT 5 broker; PUBACK after the commit is the position.
"""
