from pathlib import Path

import numpy as np
import pytest
from spring_systems import Springs, shaken

from fidsel.fidelity import MMFFSource, TBLiteSource
from fidsel.models import ModelSource, NetworkForceField
from fidsel.refine.prior import PriorError, always, mmff94, prior_labels

FRAMES = shaken("CH3OH", 8)


def test_labels_are_those_of_the_prior_at_its_level() -> None:
    found = prior_labels(always(Springs()), FRAMES, "prior")
    np.testing.assert_allclose(found.frames.forces, shaken("CH3OH", 8, level="prior").forces)
    assert set(found.frames.level) == {"prior"}
    assert found.rows.tolist() == list(range(8))
    assert found.failed == 0


def test_frames_that_fail_are_left_out() -> None:
    first = FRAMES.dense().positions[:, 0, 0]
    floor = float(np.sort(first)[3]) - 1e-9
    found = prior_labels(always(Springs(floor=floor)), FRAMES, "prior")
    assert found.rows.tolist() == np.flatnonzero(first > floor).tolist()
    assert found.failed == 3
    assert "did not converge" in found.why


def test_a_prior_that_fails_for_half_is_refused() -> None:
    floor = float(np.sort(FRAMES.dense().positions[:, 0, 0])[4]) - 1e-9
    with pytest.raises(PriorError, match=r"the prior failed for 4 of 8 frames: .*did not converge"):
        prior_labels(always(Springs(floor=floor)), FRAMES, "prior")


def test_mmff94_has_the_bonds_of_the_molecule() -> None:
    source = mmff94(FRAMES)
    assert isinstance(source, MMFFSource)
    assert source.molecule.smiles == "CO"
    found = prior_labels(mmff94, FRAMES, "prior")
    assert np.isfinite(found.frames.forces).all()


def test_a_prior_that_knows_no_such_system_is_refused() -> None:
    two = shaken("H2O", 4)
    apart = two.replace(positions=two.positions + np.tile([[0, 0, 0], [30, 0, 0], [60, 0, 0]], (4, 1)))
    with pytest.raises(PriorError, match="the prior cannot treat it"):
        prior_labels(mmff94, apart, "prior")


def test_gfn2_labels_what_falls_apart() -> None:
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    found = prior_labels(always(TBLiteSource()), shaken("H2O", 2), "prior")
    assert found.frames.energy.mean() == pytest.approx(-138, abs=2)


def test_a_trained_model_is_a_prior(family: NetworkForceField, tmp_path: Path) -> None:
    prior = always(ModelSource(family.save(tmp_path / "model")))
    found = prior_labels(prior, FRAMES, "prior")
    np.testing.assert_array_equal(found.frames.forces, family.predict(FRAMES).forces)
    with pytest.raises(PriorError, match="elements"):
        prior_labels(prior, shaken("SiH4", 4), "prior")
