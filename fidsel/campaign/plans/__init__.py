"""Before the first purchase: held-out sets, pilot labels, the plan, what it needs at least."""
