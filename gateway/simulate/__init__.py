"""``bondwatch simulate`` on an installation: its own temporary one, or one that runs already."""
