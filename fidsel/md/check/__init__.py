"""What a model makes of a molecule at rest, beside a reference: geometry, frequencies, torsions."""
