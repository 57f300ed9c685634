"""Scripts: stories about custody, told minute by minute, with the findings that they must end with.

``format``    what a script file says
``timeline``  a script as moments: what to publish, post and look at, when
"""
