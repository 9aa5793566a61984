"""Known answers are what the programs compute."""

from pathlib import Path
from typing import Any

import pytest

from fidsel.config.levels import LEVEL_SECTIONS, Level
from fidsel.config.parts import build_fidelity
from fidsel.config.schema import PoolSection
from fidsel.fidelity import TBLiteSource
from fidsel.tasks.doctor.references import reference_for


@pytest.mark.parametrize(
    "level",
    [
        LEVEL_SECTIONS["pyscf"](name="a", kind="pyscf", method="hf", basis="6-31G*"),
        LEVEL_SECTIONS["openmm"](name="a", kind="openmm"),
        LEVEL_SECTIONS["calculator"](name="a", kind="calculator", calculator="emt"),
        LEVEL_SECTIONS["calculator"](name="a", kind="calculator", calculator="morse"),
    ],
    ids=["hf", "mmff94", "emt", "any calculator"],
)
def test_programs_give_the_known_answer(level: Level) -> None:
    known = reference_for(level)
    assert known is not None
    assert known.source.label(known.atoms).energy == pytest.approx(known.energy, abs=known.tolerance)


def test_labels_on_disk_have_no_answer_of_their_own() -> None:
    assert reference_for(LEVEL_SECTIONS["table"](name="a", kind="table", path="a.npz")) is None


@pytest.mark.parametrize(
    "settings", [{}, {"method": "GFN1-xTB", "solvent": "water", "solvation": "gbsa", "threads": 2}]
)
def test_tight_binding_is_a_level_of_its_own(settings: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("tblite", reason="needs pip install 'fidsel[xtb]'")
    level = LEVEL_SECTIONS["tblite"](name="xtb", kind="tblite", **settings)
    fidelity = build_fidelity(level, PoolSection(source="md", smiles="O", frames=1), tmp_path)
    assert fidelity.source == TBLiteSource(**settings)
    known = reference_for(level)
    assert known is not None
    assert known.source.label(known.atoms).energy == pytest.approx(known.energy, abs=known.tolerance)
