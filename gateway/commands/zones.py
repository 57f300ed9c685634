"""``bondwatch zones``: the areas that terms may name."""

from gateway.commands.places import application

app = application("zones", corridors=False)
