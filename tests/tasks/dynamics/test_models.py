"""From names to models."""

from pathlib import Path

import pytest
from mmff_force_field import MMFFForceField
from spring_systems import shaken

from fidsel.data import Frames
from fidsel.exceptions import UsageError
from fidsel.fidelity.molecules.molecule import from_smiles
from fidsel.tasks.dynamics.models import called, maker, makers

WATERS = shaken("H2O", 2)


def test_models_are_named_loaded_and_made() -> None:
    model = MMFFForceField(from_smiles("O"))
    assert maker(model)(WATERS) is model
    assert maker("mmff94")(WATERS).settings()["kind"] == "mmff"
    assert maker("ase:lj")(WATERS).settings()["calculator"] == "lj"
    with pytest.raises(UsageError, match=r"there is no folder painn2, and no label source .*unknown ASE"):
        maker("painn2")
    with pytest.raises(UsageError, match=r"^unknown ASE calculator 'painn2'"):
        maker("ase:painn2")
    with pytest.raises(UsageError, match="there is no folder models/painn"):
        maker("models/painn")


def test_there_is_at_least_one_model() -> None:
    assert list(makers(["mmff94", "mmff94"], "cpu")) == ["mmff94", "mmff94 #2"]
    with pytest.raises(UsageError, match="dynamics need at least one model"):
        makers([], "cpu")


def test_a_folder_is_called_by_its_name_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "painn" / "model"
    inner.mkdir(parents=True)
    (tmp_path / "best").symlink_to(inner)
    monkeypatch.chdir(inner)
    told = [called(path) for path in (".", "./", "..", "../", "../../painn", Path(), inner, "../model")]
    assert told == ["painn/model", "painn/model", *["painn"] * 3, *["painn/model"] * 3]
    assert called(tmp_path / "best") == "best"
    assert called("gfn2") == "gfn2"
    assert called("/") == "/"


def test_a_calculator_that_would_not_hear_of_a_charge_is_refused() -> None:
    hydroxide = Frames.stack([8, 1], [[[0, 0, 0], [0, 0, 0.97]]], charge=-1)
    made = maker("ase:emt")
    assert made(hydroxide.replace(charge=[0])).forces
    with pytest.raises(UsageError, match=r"ase:emt is not told of charge and spin, and HO.* take gfn2"):
        made(hydroxide)
