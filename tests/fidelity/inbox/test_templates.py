from pathlib import Path

import pytest
from ase import Atoms

from fidsel.exceptions import UsageError
from fidsel.fidelity.inbox.templates import filled, templates

SETTINGS = {"kind": "inbox", "method": "ccsd(t)", "basis": "cc-pvtz", "forces": True}
WATER = Atoms("OHH", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], info={"charge": 0, "spin": 0})
PLACES = """\
O      0.0000000000     0.0000000000     0.0000000000
H      0.9600000000     0.0000000000     0.0000000000
H     -0.2400000000     0.9300000000     0.0000000000
"""


def test_inputs_are_what_their_programs_read(tmp_path: Path) -> None:
    made = templates(tmp_path / "level", SETTINGS)
    texts = {name: filled(text, WATER, "abc", name) for name, text in made.items()}
    assert texts["orca.inp"] == f"# frame abc\n! ccsd(t) cc-pvtz TightSCF EnGrad\n* xyz 0 1\n{PLACES}*\n"
    assert texts["gaussian.gjf"] == (f"#p ccsd(t)/cc-pvtz force nosymm\n\nframe abc\n\n0 1\n{PLACES}\n")
    assert texts["psi4.dat"] == (
        f"# frame abc\nmolecule {{\n0 1\n{PLACES}units angstrom\nno_com\nno_reorient\nsymmetry c1\n}}\n"
        "set basis cc-pvtz\ngradient('ccsd(t)')\n"
    )


def test_a_level_without_forces_asks_for_energies(tmp_path: Path) -> None:
    made = templates(tmp_path / "level", {**SETTINGS, "forces": False})
    assert "! ccsd(t) cc-pvtz TightSCF\n" in made["orca.inp"]
    assert "energy('ccsd(t)')" in made["psi4.dat"]
    assert "#p ccsd(t)/cc-pvtz nosymm\n" in made["gaussian.gjf"]


def test_what_is_edited_stays(tmp_path: Path) -> None:
    templates(tmp_path / "level", SETTINGS)
    (tmp_path / "level" / "psi4.dat").unlink()
    (tmp_path / "level" / "molpro.inp").write_text("geometry={\n{xyz}\n}\n")
    made = templates(tmp_path / "level", SETTINGS)
    assert set(made) == {"orca.inp", "gaussian.gjf", "molpro.inp"}
    (tmp_path / "level" / "picture").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="level must hold templates, which are texts"):
        templates(tmp_path / "level", SETTINGS)


def test_charged_frames_need_a_place_for_their_charge() -> None:
    cation = WATER.copy()
    cation.info |= {"charge": 1, "spin": 1}
    assert filled("{charge} {multiplicity}", cation, "abc", "orca.inp") == "1 2"
    with pytest.raises(UsageError, match=r"the template orca\.inp does not fit: the frame has charge 1"):
        filled("* xyz 0 1\n{xyz}", cation, "abc", "orca.inp")
