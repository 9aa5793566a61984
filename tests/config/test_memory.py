"""Amounts of memory as people write them, and what each label may hold."""

from pathlib import Path
from typing import Any

import pytest

from fidsel.config.levels import LEVEL_SECTIONS
from fidsel.config.memory import parse_bytes
from fidsel.config.parts import build_fidelity
from fidsel.config.schema import PoolSection
from fidsel.data.memory import machine_memory, memory_share
from fidsel.fidelity import PySCFSource

OPENMM: Any = LEVEL_SECTIONS["openmm"]
WATER = PoolSection(source="md", smiles="O", frames=10)


@pytest.mark.parametrize(("text", "size"), [
    ("4 GiB", 4 * 2**30), ("4GB", 4e9), ("1.5 gib", 1.5 * 2**30), ("500 MB", 5e8), ("67108864", 2**26),
    ("2 TiB", 2**41), ("100000 kB", 1e8), ("1e9 B", 1e9),
])  # fmt: skip
def test_memory_is_read(text: str, size: float) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "4", "lots", "4 GiBs", "-4 GiB", "1 MiB", "1.2.3 GiB", "1e999 GB", "GiB"]
)
def test_what_is_no_memory_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"at least 64 MiB, written like '4 GiB'"):
        parse_bytes(text)


OPENMM: Any = LEVEL_SECTIONS["openmm"]


def test_a_level_takes_a_limit_as_text_or_number_or_its_share() -> None:
    level = OPENMM(kind="openmm", name="mmff94", memory_limit="1 GiB")
    assert build_fidelity(level, WATER, Path(), 2**33).memory_limit == 2**30
    number = OPENMM.model_validate({"kind": "openmm", "name": "m", "memory_limit": 10**9})
    assert build_fidelity(number, WATER, Path()).memory_limit == 10**9
    assert build_fidelity(OPENMM(kind="openmm", name="m"), WATER, Path(), 123).memory_limit == 123


@pytest.mark.parametrize(("limit", "planned"), [("2 GB", 1500), ("100 GB", 4000), (None, 4000)])
def test_pyscf_plans_for_less_than_its_limit(limit: str | None, planned: int) -> None:
    level = LEVEL_SECTIONS["pyscf"](kind="pyscf", name="hf", method="hf", basis="sto-3g", memory_limit=limit)
    source = build_fidelity(level, WATER, Path()).source
    assert isinstance(source, PySCFSource)
    assert source.memory == planned


def test_labels_share_the_memory_of_the_machine() -> None:
    assert memory_share(4) == pytest.approx(memory_share(1) / 4, abs=1)
    assert memory_share(1) < machine_memory()
