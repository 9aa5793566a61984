"""Molecules from SMILES and structures: bonds, formal charges, embedded coordinates."""
