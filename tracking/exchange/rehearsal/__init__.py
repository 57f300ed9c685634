"""Rehearsal: proposed terms, rules or places against the recorded past. What would have been said? Nothing is
written.

``proposal``  what is proposed, read from files, and put into facts       pure
``compare``   alerts that would appear, vanish or change                  pure
``shadow``    a device's milestones under proposed places
``run``       the shipments concerned, as they stand and as they would
"""
