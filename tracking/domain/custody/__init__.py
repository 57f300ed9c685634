"""Custody: what a shipment is held to, and what its facts say of it. The second fold.

Plain facts go in (:mod:`.facts`), findings come out (:mod:`.judge`). Nothing here asks a clock, a database
or the order in which anything arrived: the same facts give the same findings, always.

terms        what a shipment is held to: legs, and rules that they change
faults       everything that is wrong in a document, each at its JSON Pointer
checks       whether terms can hold anybody to anything
templates    terms of the usual regimes, to be filled in
published    the JSON Schema of the terms
facts        everything a judging reads, as plain data
course       which device speaks for the shipment, when, and where it was
legs         when each leg began and ended: one transition table
visits       each device's times in each zone, and how long it surely was there
rules/       one file a family; each rule a pure function
overrides    each moment judged by the parameters of the terms in force
judge        facts -> findings, the state to show, and when to look again
catalogue    docs/rules.md, from the rules' own docstrings
"""
