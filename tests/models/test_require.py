import numpy as np
import pytest
from morse_molecule import frames

from fidsel.exceptions import UsageError
from fidsel.models import require
from fidsel.models.require import Electrons


def test_a_message_names_the_set_of_frames() -> None:
    with (
        pytest.raises(UsageError, match="validation frames: atoms must be apart"),
        require.blaming("validation frames"),
    ):
        raise UsageError("atoms must be apart")
    with pytest.raises(KeyError), require.blaming("validation frames"):
        raise KeyError("x")


def test_frames_of_one_state_tell_it() -> None:
    assert Electrons.of(frames(3).replace(charge=-1, spin=1), "sGDML") == Electrons(-1, 1)
    with pytest.raises(UsageError, match=r"sGDML does not see the spin: .* got \[0, 2\]"):
        Electrons.of(frames(2).replace(spin=[0, 2]), "sGDML")


def test_another_state_than_the_learnt_one_is_refused() -> None:
    some = frames(2).replace(charge=[0, 1])
    require.require_electrons(some, None, "painn")
    require.require_electrons(some[:1], Electrons(0, 0), "painn")
    with pytest.raises(UsageError, match=r"has learnt frames of charge 0 .* cannot treat charge 1;"):
        require.require_electrons(some, Electrons(0, 0), "painn")


def test_periodic_frames_elements_and_holes_are_refused() -> None:
    some = frames(3)
    periodic = some.replace(pbc=np.arange(3)[:, None] == [[1, 1, 1]], cell=np.eye(3)[None].repeat(3, 0))
    with pytest.raises(UsageError, match=r"painn is for molecules: frame 1 is periodic \(1 of 3\)"):
        require.require_molecules(periodic, "painn")
    with pytest.raises(UsageError, match=r"knows elements from 1 to 6: atoms \[1\] of frame 0 are \[8\]"):
        require.require_elements(some, 6, "painn")
    lost = some.positions.copy()
    lost[5:7] = np.nan
    with pytest.raises(UsageError, match=r"those of atoms \[1, 2\] of frame 1 are NaN"):
        require.require_finite(some.replace(positions=lost))


def test_atoms_in_one_place_are_named_where_the_prediction_is_not_finite() -> None:
    some = frames(2)
    positions = some.positions.copy()
    positions[7] = positions[4]
    both = some.replace(positions=positions)
    require.require_apart(both, np.zeros(2))
    with pytest.raises(UsageError, match=r"atoms \[0, 3\] of frame 1 are nearer than 0.001 Å"):
        require.require_apart(both, np.zeros(2), np.array([np.inf]))


def test_levels_and_numbers() -> None:
    require.require_level(None, "pbe")
    with pytest.raises(UsageError, match="predicts level 'pbe' or 'ccsd', not 'hf'"):
        require.require_level("hf", "pbe", "ccsd")
    assert type(require.counts_of("painn", features=(np.int64(4), 4))["features"]) is int
    with pytest.raises(UsageError, match="layers of painn must be a whole number ≥ 1, got 0"):
        require.counts_of("painn", features=(4, 4), layers=(0, 1))
    with pytest.raises(UsageError, match=r"layers of painn must be a whole number ≥ 1, got 2\.0"):
        require.counts_of("painn", layers=(2.0, 1))  # type: ignore[arg-type]
    assert type(require.length_of("painn", "cutoff", np.float32(4.5))) is float
    with pytest.raises(UsageError, match="cutoff of painn, in Å, must be a finite number > 0, got nan"):
        require.length_of("painn", "cutoff", float("nan"))
