"""sGDML: the symmetric gradient-domain kernel in closed form."""
