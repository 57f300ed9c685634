"""Things in things: who was inside whom, when, by what was scanned or reported.

subject  which thing an event names, and what a scan says of one in another
events   one containment event, and the order in which events count
fold     a thing's events -> the intervals of its stays, and where its events contradict each other
ascent   stays -> what carried a thing at any time, however deep; no thing ever carries itself
"""
