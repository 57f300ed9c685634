"""GPS noise near borders: simulated hours of vehicles, the real folds, and what they tell against the truth."""
