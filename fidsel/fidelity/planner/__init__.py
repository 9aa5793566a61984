"""The planner: costs and learning curves in, plan out; arithmetic only."""
