"""Labels on the nodes of a cluster: what a pilot program is asked for, and what runs there."""
