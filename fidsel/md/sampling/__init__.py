"""Pools of candidates: dynamics of MMFF94 or of a trained model, normal modes, conformers."""
