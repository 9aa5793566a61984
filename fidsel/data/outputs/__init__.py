"""Outputs of quantum-chemistry programs as labels; one module per program."""
