"""The engine on one machine: worker processes, their limits and clocks."""
