"""The road of a batch: from messages at the broker to rows that count. Begin with ``road``.

``road``       the seven steps, each a file of its name, and what an error does to a batch
``batch``      what a source hands over
``load``       what travels: the batch, and what each step has found out about it
``tools``      what the worker brings to every batch; ``reference`` the devices and places among them
``limits``     every threshold
``identity``   new, known or reused: the rule of step 3
``columns``    new events as columns, for step 5
``poison``     which message breaks a batch
``mailbox``    receipts that wait to be sent; ``live`` a sample of positions for the map
``replay``     rejections that are tried again
``metrics``    what Prometheus sees
"""
