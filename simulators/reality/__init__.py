"""Worlds that know the truth: what really happens to trucks, seals and goods, and what devices say of it.

``format``    what a world file says
``course``    where something truly is
``driving``   how trucks drive: traffic, lights, stops, strays
``climate``   how warm it truly is in a box: ambient, door, compressor, defrost
``receiver``  what a satellite receiver makes of a true place
``noticing``  what devices notice of it
``speech``    what devices say when: networks, clocks, batteries, firmware
``hauls``     one truck with one box, from its first to its last moment
``truth``     what the rules promise to find, from what truly happened
``world``     all hauls of a file, as a story that can be played
``score``     findings against the truth
"""
