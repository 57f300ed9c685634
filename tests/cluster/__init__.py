"""The many-server form on loopback: three NATS servers, a park with a leaf node, workers; trouble."""
