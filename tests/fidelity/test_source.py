import pickle
from typing import get_args

import numpy as np
import pytest
from ase import Atoms
from toy_labels import Spring

from fidsel.fidelity import (
    CalculatorSource,
    Cause,
    Coverage,
    Label,
    LabelError,
    LabelSource,
    PySCFSource,
    Scaling,
    TableSource,
    TBLiteSource,
)
from fidsel.fidelity.source import check_positions, state_of


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


@pytest.mark.parametrize(
    "source",
    [
        TBLiteSource(),
        PySCFSource("hf", "sto-3g"),
        CalculatorSource("tblite", {"method": "GFN2-xTB", "charge": "{charge}", "verbosity": 0}),
    ],
)
def test_atoms_of_ase_are_labelled_with_the_charge_that_they_have(source: LabelSource) -> None:
    positions, wanted = [[0, 0, 0], [0, 0, 0.97]], -1
    named = source.label(Atoms("OH", positions, info={"charge": wanted})).energy
    for anion in (
        Atoms("OH", positions, info={"total_charge": wanted}),
        Atoms("OH", positions, charges=[-1.2, 0.2]),
    ):
        assert state_of(anion) == (wanted, 0)
        assert source.label(anion).energy == pytest.approx(named, abs=1e-6)


def test_a_charge_that_is_no_whole_number_is_refused() -> None:
    for info in ({"charge": 0.5}, {"charge": 1, "total_charge": 2}):
        with pytest.raises(LabelError, match=r"whole number|told in two ways") as found:
            state_of(Atoms("He", info=info))
        assert found.value.cause == "refused"
