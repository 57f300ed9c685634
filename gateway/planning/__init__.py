"""What an installation of a given size needs: a small model over measured figures.

``figures``: what was measured, in a file. ``model``: the arithmetic, pure. ``measure``: renews the file.
"""
