"""Error sources: the model's error on every candidate, mostly without labels."""
