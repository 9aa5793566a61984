"""A molecule at rest, kept and compared with."""

import json

import numpy as np
import pytest
from mmff_force_field import MMFFForceField

from fidsel.data import Frames
from fidsel.fidelity import MMFFSource
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.md import conformers
from fidsel.md.check.compare import Rest
from fidsel.models.combinations.labels import SourceLabels

METHANOL = from_smiles("CO")
START = Frames.stack(METHANOL.numbers, conformers(METHANOL, 1, seed=1))


def test_a_model_of_the_same_surface_agrees_with_what_was_kept() -> None:
    labels = SourceLabels(MMFFSource(METHANOL))
    made = Rest.of(labels, START)
    kept = Rest.from_dict(json.loads(json.dumps(made.to_dict())))
    np.testing.assert_array_equal(kept.relaxed.frequencies, made.relaxed.frequencies)
    told = kept.compared(MMFFForceField(METHANOL))
    assert told["rmsd"] < 1e-3
    assert told["frequency_max"] < 1.0
    (turn,) = told["torsions"]
    assert (turn["bond"], len(turn["angles"])) == ("C0–O1", 12)
    assert turn["mae"] < 1e-6
    assert 0.03 < turn["reference_barrier"] == pytest.approx(turn["barrier"], abs=1e-6)  # 1.1 kcal/mol
    assert labels.seconds > 0
    assert kept.conformers == made.conformers
    assert told["conformers"] == {"count": 0, "why": "the molecule has one conformer alone"}


def test_what_was_kept_without_conformers_has_none() -> None:
    kept = Rest.of(MMFFSource(METHANOL), START).to_dict()
    del kept["conformers"]
    assert "conformers" not in Rest.from_dict(kept).compared(MMFFForceField(METHANOL))
