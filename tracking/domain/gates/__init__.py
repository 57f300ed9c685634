"""Gates: what a barrier is told when a vehicle stands before it."""
