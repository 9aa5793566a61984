import pickle
from typing import get_args

import numpy as np
import pytest
from ase import Atoms
from toy_labels import Spring

from fidsel.fidelity import Cause, Coverage, Label, LabelError, LabelSource, Scaling, TableSource
from fidsel.fidelity.source import check_positions


def test_a_label_holds_plain_numbers() -> None:
    label = Label(np.array([-1.5], dtype=np.float32), [[0, 0, 1]])  # type: ignore[arg-type]
    assert (label.energy, type(label.energy)) == (-1.5, float)
    assert label.forces is not None
    assert label.forces.dtype == np.float64


@pytest.mark.parametrize(("energy", "forces"), [(None, None), (np.nan, None), (0.0, [[np.inf, 0, 0]])])
def test_what_is_no_label_is_an_invalid_one(energy: float, forces: object) -> None:
    with pytest.raises(LabelError) as found:
        Label(energy, forces)  # type: ignore[arg-type]
    assert found.value.cause == "invalid"


@pytest.mark.parametrize("cause", get_args(Cause))
def test_errors_come_through_a_pipe(cause: Cause) -> None:
    again = pickle.loads(pickle.dumps(LabelError("did not converge", 3.5, cause)))
    assert (str(again), again.seconds, again.cause) == ("did not converge", 3.5, cause)


def test_what_a_source_offers_is_seen() -> None:
    table = TableSource("a.npz")  # type: ignore[arg-type]
    assert isinstance(Spring(), LabelSource)
    assert isinstance(table, LabelSource)
    assert isinstance(table, Coverage)
    assert not isinstance(table, Scaling)
    assert not isinstance(Spring(), Coverage)


@pytest.mark.parametrize(("atoms", "message"), [
    (Atoms(), "must have at least one atom"),
    (Atoms("H2", [[0, 0, 0], [0, 0, np.nan]]), r"positions must be finite, got \[0.0, 0.0, nan\] for atom 1"),
    (Atoms("H", cell=[np.inf, 1, 1]), "the cell must be finite"),
])  # fmt: skip
def test_frames_without_a_place_are_refused(atoms: Atoms, message: str) -> None:
    with pytest.raises(LabelError, match=message) as found:
        check_positions(atoms)
    assert found.value.cause == "refused"
