"""Outputs of Psi4, read by cclib."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms, units

from fidsel.data.outputs.gradient import GRADIENT, labelled
from fidsel.exceptions import MissingExtraError, UsageError


def images(path: Path, text: str) -> Sequence[Atoms]:
    """Return what cclib reads: the coupled-cluster energy where there is one, else MP2's, else the SCF's."""
    try:
        from cclib.io.ccio import ccread
        from cclib.parser.utils import convertor
    except ImportError as error:
        raise MissingExtraError("cclib", "outputs") from error
    data = ccread(str(path), loglevel=50)
    if data is None:
        raise UsageError(f"{path.name}: cclib cannot read this output")
    # cclib 1 converts to eV with a factor of its own
    factor = units.Hartree / convertor(1.0, "hartree", "eV")
    post = getattr(data, "ccenergies", None)
    if post is None and hasattr(data, "mpenergies"):
        post = [step[-1] for step in data.mpenergies]
    if post is None and re.search(r"\b(FNOCC|DFOCC|OCC|CCENERGY|DETCI|DCT|SAPT|MCSCF)\b", text):
        raise UsageError(
            f"{path.name}: cclib does not read the energy of this correlated method: write extxyz instead"
        )
    energies = np.asarray(data.scfenergies if post is None else post) * factor
    places, grads = data.atomcoords, getattr(data, "grads", None)
    if len(energies) != len(places) or (grads is not None and len(grads) != len(places)):
        raise UsageError(
            f"{path.name} has {len(places)} geometries, {len(energies)} energies and "
            f"{0 if grads is None else len(grads)} gradients: read outputs of single points"
        )
    return [
        labelled(
            Atoms(data.atomnos, xyz), float(e), None if grads is None else -np.asarray(grads[i]) * GRADIENT
        )
        for i, (xyz, e) in enumerate(zip(places, energies, strict=True))
    ]
