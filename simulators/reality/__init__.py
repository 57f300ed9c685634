"""Worlds that know the truth: what really happens to trucks, seals and goods, and what devices say of it.

``format``     what a world file says
``windows``    whiles of it
``course``     where something truly is
``driving``    how trucks drive: traffic, lights, stops, strays
``climate``    how warm it truly is in a box: ambient, door, compressor, defrost
``befalling``  what befalls a truck, drawn by its fleet's shares
``hauls``      one truck with one box, from its first to its last moment
``receiver``   what a satellite receiver makes of a true place
``noticing``   what devices notice of the truth
``scanners``   hand scanners in their shifts
``speech``     what devices say when: networks, clocks, doubles, rubbish
``papers``     terms, passes, orders
``world``      all hauls of a file, as a story that can be played
``seen``       a haul as the truth is told of it; incidents
``truth``      what the rules promise to find; ``truth_places``, ``truth_seals``, ``truth_cold`` tell it
``record``     the truth as a file
``score``      findings against the truth; ``score_report`` is the page of it
"""
