"""The fault suite: the real system under real kills, and a count of what was lost."""
