"""Recipes: chains of stages that train on a mixture of fidelities."""
