"""Models made of models: ensembles, sums, differences."""
