"""Networks on dense batches: what they share, PaiNN, SchNet, EGNN."""
