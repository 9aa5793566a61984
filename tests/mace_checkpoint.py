"""Checkpoints as MACE's own training writes them."""

from pathlib import Path
from typing import Any

import numpy as np
import torch


def checkpoint(mace: Any, path: Path, heads: int = 1, **options: Any) -> Path:
    """A file as MACE's training writes it, of a small model of H, C, O and Cu with random parameters."""
    from e3nn import o3

    torch.manual_seed(3)
    blocks = mace.modules.interaction_classes
    arguments = {
        "r_max": 4.0,
        "num_bessel": 4,
        "num_polynomial_cutoff": 5,
        "max_ell": 2,
        "interaction_cls": blocks["RealAgnosticResidualInteractionBlock"],
        "interaction_cls_first": blocks["RealAgnosticInteractionBlock"],
        "num_interactions": 2,
        "num_elements": 4,
        "hidden_irreps": o3.Irreps("8x0e + 8x1o"),
        "MLP_irreps": o3.Irreps("5x0e"),
        "atomic_energies": np.random.default_rng(0).normal(-10.0, 5.0, (heads, 4)),
        "avg_num_neighbors": 7.5,
        "atomic_numbers": [1, 6, 8, 29],
        "correlation": 2,
        "gate": torch.tanh,
        "atomic_inter_scale": [1.7, 0.6][:heads],
        "atomic_inter_shift": [0.3, -0.2][:heads],
        "radial_MLP": [8, 8],
        "heads": ["dft", "cc"][:heads],
    }
    torch.save(mace.modules.ScaleShiftMACE(**(arguments | options)), path)
    return path
