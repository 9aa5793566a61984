"""Sections of levels are made from the constructors of label sources."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from ase import Atoms
from pydantic import ValidationError

from fidsel.arguments import Internal, NonNegativeFloat, PositiveInt
from fidsel.config.levels import LEVEL_SECTIONS, LevelSection
from fidsel.config.parts import build_fidelity, build_source
from fidsel.config.schema import PoolSection
from fidsel.config.sections import section
from fidsel.exceptions import UsageError
from fidsel.fidelity import SOURCES, Label
from fidsel.fidelity.source import Value

WATER = PoolSection(source="md", smiles="O", frames=10)


@dataclass(frozen=True)
class Constant:
    """The same energy for all.

    Parameters
    ----------
    file : where it is written.
    energy : eV.
    threads, memory, name : of the campaign.
    """

    file: Path
    energy: NonNegativeFloat = 1.0
    threads: Annotated[PositiveInt, Internal] = 1
    memory: Annotated[PositiveInt, Internal] = 10
    name: Annotated[str, Internal] = ""
    forces: Annotated[bool, Internal] = False

    def settings(self) -> dict[str, Value]:
        return {"kind": "constant", "energy": self.energy}

    def require_ready(self) -> None:
        if self.energy == 13:
            raise UsageError("an energy of 13 eV brings bad luck")

    def label(self, atoms: Atoms) -> Label:  # noqa: ARG002
        return Label(self.energy, None)


CONSTANT: Any = section("constant", Constant, LevelSection)


def test_arguments_that_no_file_gives_come_from_the_campaign() -> None:
    level = CONSTANT(kind="constant", name="low", file="energies/one.txt", energy=2, threads=3)
    source = build_source(level, WATER, Path("/campaign"), memory=2 * 10**9)
    assert source == Constant(Path("/campaign/energies/one.txt"), 2.0, 3, 1500, "low")


def test_a_file_gives_the_others_and_is_checked() -> None:
    with pytest.raises(ValidationError, match="unknown key 'memory'"):
        CONSTANT(kind="constant", name="low", file="one.txt", memory=3)
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        CONSTANT(kind="constant", name="low", file="one.txt", energy=-1)


def test_a_source_that_is_not_ready_is_told_by_its_level() -> None:
    level = CONSTANT(kind="constant", name="low", file="one.txt", energy=13)
    with pytest.raises(UsageError, match="fidelity 'low': an energy of 13 eV brings bad luck"):
        build_fidelity(level, WATER, Path())


def test_every_label_source_has_a_section() -> None:
    assert list(LEVEL_SECTIONS) == [*SOURCES, "custom"]
