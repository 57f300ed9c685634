"""Only registered devices connect, each only as itself. What a client may do is said once, in
``devices.rights``.

``callout``: the gateway judges every connection to NATS (its auth callout), MQTT clients included.
``mosquitto``: password and ACL files for Mosquitto, written by ``bondwatch device sync``.
"""
