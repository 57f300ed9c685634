"""Recordings: what a broker delivered, kept in a file that another installation can be played from.

``file``: the format. ``taps``: where messages are heard. ``recorder``: the loop that writes them.
The way back is a source like any other: ``gateway.sources.replay``.
"""
