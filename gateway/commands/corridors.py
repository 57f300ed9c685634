"""``bondwatch corridors``: the routes that terms may name."""

from gateway.commands.places import application

app = application("corridors", corridors=True)
