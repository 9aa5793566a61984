"""Structure files of any name and content are read or told."""

from contextlib import suppress
from pathlib import Path

import pytest
from ase.build import molecule
from ase.io import write
from damage import damaged_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fidsel.data.structure import read_structure
from fidsel.exceptions import UsageError


@pytest.mark.parametrize("name", ["mol.foo", "mol", "mol.docx", "ü.%20"])
def test_an_ending_that_names_no_format(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("C 0 0 0\n")
    with pytest.raises(
        UsageError, match=r"structure .* has an ending that ASE knows no format for: take xyz"
    ):
        read_structure(tmp_path / name)


@pytest.mark.parametrize(
    "ending", ["xyz", "pdb", "cif", "mol", "sdf", "json", "traj", "gjf", "in", "vasp", "db"]
)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_of_a_structure_is_told(tmp_path: Path, ending: str, data: st.DataObject) -> None:
    path = tmp_path / f"mol.{ending}"
    write(tmp_path / "whole.xyz", molecule("CH3OH"))
    path.write_bytes(data.draw(damaged_bytes((tmp_path / "whole.xyz").read_bytes())))
    with suppress(UsageError):
        read_structure(path)
