"""Playing stories on an installation: the clock goes on, devices publish, people post, findings are compared.

``story``      what can be played, and on what: anything with devices, shipments, papers and events
``player``     plays stories, several at the same time
``acts``       what is done when
``papers``     what people hand in
``voices``     the devices' connections to the broker
``comparing``  what stands against what a story expects
"""
