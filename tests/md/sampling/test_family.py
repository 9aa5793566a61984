"""Pools of several molecules: equal shares, seeds of their own, and what fails."""

from collections.abc import Sequence

import numpy as np
import pytest

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.molecules.family import named_smiles
from fidsel.fidelity.molecules.molecule import Molecule
from fidsel.md.sampling.family import sample_family
from fidsel.md.sampling.harmonic import normal_modes
from fidsel.md.sampling.report import Sample

HOT = (300.0,)


def test_frames_are_shared_and_named() -> None:
    frames = sample_family(named_smiles(["O", "CO"]), 7, HOT, 3, normal_modes)
    assert frames.composition() == {"CH4O": 3, "H2O": 4}
    assert {str(group).partition(": ")[0] for group in frames.group} == {"O", "CO"}


def test_the_frames_of_a_molecule_do_not_depend_on_the_others() -> None:
    two = sample_family(named_smiles(["O", "CO"]), 8, HOT, 3, normal_modes)
    other = sample_family(named_smiles(["N", "OC"]), 8, HOT, 3, normal_modes)
    assert two.ids[4:] != other.ids[4:], "atoms in another order are other frames"
    again = sample_family(named_smiles(["N", "CO"]), 8, HOT, 3, normal_modes)
    assert two.ids[4:] == again.ids[4:]
    assert two.ids[4:] != sample_family(named_smiles(["N", "CO"]), 8, HOT, 4, normal_modes).ids[4:]


def test_one_molecule_is_sampled_as_ever() -> None:
    alone = sample_family(named_smiles(["O"]), 5, HOT, 3, normal_modes)
    (water,) = named_smiles(["O"]).values()
    whole = normal_modes(water, 5, HOT, 3).frames
    assert alone.ids == whole.ids
    assert alone.group.tolist() == whole.group.tolist()


def test_isomers_keep_apart() -> None:
    frames = sample_family(named_smiles(["CCCC", "CC(C)C"]), 8, HOT, 0, normal_modes)
    assert len(set(frames.ids)) == 8
    assert set(frames.formulas) == {"C4H10"}
    names = [str(group).partition(": ")[0] for group in frames.group]
    assert names == ["CCCC"] * 4 + ["CC(C)C"] * 4
    ends = np.linalg.norm(frames.dense().positions[:, 0] - frames.dense().positions[:, 3], axis=1)
    assert ends[:4].min() > 3.0 > ends[4:].max(), "Å between the first and last carbon"


def test_all_that_fail_are_named() -> None:
    def cold(molecule: Molecule, frames: int, temperatures: Sequence[float], seed: int) -> Sample:
        if len(molecule) > 3:
            raise FidselError("no minimum was found.")
        return normal_modes(molecule, frames, temperatures, seed)

    with pytest.raises(FidselError, match=r"2 of 3 molecules .*: N: no minimum was found; C: no minimum"):
        sample_family(named_smiles(["O", "N", "C"]), 9, HOT, 0, cold)


def test_there_must_be_a_frame_for_each() -> None:
    with pytest.raises(UsageError, match=r"3 molecules need a frame each at least, got pool\.frames = 2"):
        sample_family(named_smiles(["O", "N", "C"]), 2, HOT, 0, normal_modes)
