"""Label sources, store, ledger, budget, planner and engine."""
