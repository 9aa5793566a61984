"""A molecule at rest by a model and by a reference: geometry, frequencies, torsions, conformers."""
