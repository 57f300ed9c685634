"""GPS noise near borders: simulated hours of vehicles, the real folds, held against the truth."""
