"""Label sources: OpenMM, PySCF, ASE calculators, tables."""
