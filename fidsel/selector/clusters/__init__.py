"""Clusters of configurations: fine by Ward, broad by geometry and energy."""
