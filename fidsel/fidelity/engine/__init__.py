"""Engines: worker processes, their limits and clocks, on this machine or the nodes of a cluster."""
