"""What is kept in labels.db: frames, labels, the ledger, and who holds it."""
