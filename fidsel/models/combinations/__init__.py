"""Models made of models: ensembles, averages, sums, differences."""
