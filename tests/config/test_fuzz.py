"""Whatever stands in fidsel.toml, a person is told what is wrong with it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from damage import damaged, damaged_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_campaign import write_campaign

from fidsel.config.build import open_campaign
from fidsel.config.load import load_config
from fidsel.exceptions import FidselError

FULL: dict[str, Any] = {
    "campaign": {"name": "x", "seed": 1, "rounds": 2, "test": 5, "validation": 4, "control": "off"},
    "pool": {"source": "md", "smiles": "CO", "frames": 20, "temperature": [300.0], "conformers": 2},
    "fidelity": [
        {"name": "mm", "kind": "openmm"},
        {"name": "dft", "kind": "pyscf", "method": "dft", "xc": "pbe", "basis": "sto-3g"},
    ],
    "model": {"kind": "sgdml", "sigmas": [10.0]},
    "recipe": {"kind": "cokriging"},
    "selector": {"kind": "cluster-error", "error": "probe", "probes": 10, "clusters": 4},
    "budget": {"total": 10, "unit": "core-min"},
    "engine": {"workers": 1},
    "tracking": {"enabled": False, "uri": "sqlite:///x.db"},
}  # fmt: skip


def toml(value: Any) -> str:
    """Return a value as TOML, tables inline; what TOML has not is written as text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return {"inf": "inf", "nan": "nan"}.get(str(value), repr(value))
    if isinstance(value, str):
        return json.dumps(value.encode(errors="replace").decode())
    return json.dumps(value) if value is not None else '"null"'


def document(value: dict[str, Any]) -> bytes:
    return "\n".join(f"{json.dumps(str(name))} = {toml(inner)}" for name, inner in value.items()).encode()


def test_the_whole_file_is_valid(tmp_path: Path) -> None:
    (tmp_path / "fidsel.toml").write_bytes(document(FULL))
    assert load_config(tmp_path / "fidsel.toml").campaign.name == "x"


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=damaged(FULL).map(document) | damaged_bytes(document(FULL)))
def test_any_damage_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "fidsel.toml"
    path.write_bytes(content)
    with suppress(FidselError):
        load_config(path)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.sampled_from(
        ["pool.path", "fidelity.0.path", "fidelity.1.energy_key", "pool.units", "campaign.name",
         "model.sigmas", "budget.total", "campaign.seed", "tracking.uri", "pool", "fidelity"]
    ),
    value=st.sampled_from(
        ["", "=", "\x00", "nan", "[]", "1e400", "-1", "'a\x00b'", "{}", "..", "/dev/null", "[[", "ü",
         "9" * 5000, "9223372036854775808"]
    ),
)  # fmt: skip
def test_any_override_is_taken_or_told(tmp_path: Path, place: str, value: str) -> None:
    folder = tmp_path / "campaign"
    if not folder.exists():
        write_campaign(folder, 20)
    with suppress(FidselError):
        open_campaign(folder, [f"{place}={value}"])


@pytest.mark.parametrize("name", ["", "  ", "\t", "x" * 201])
@pytest.mark.parametrize("setting", ["campaign.name", "tracking.experiment"])
def test_names_that_cannot_be_tracked(tmp_path: Path, setting: str, name: str) -> None:
    (tmp_path / "fidsel.toml").write_bytes(document(FULL))
    with pytest.raises(FidselError, match="a name must have 1 to 200 characters"):
        load_config(tmp_path / "fidsel.toml", [f"{setting}={json.dumps(name)}"])


@pytest.mark.parametrize("seed", [-1, 2**62 + 1])
def test_seeds_that_cannot_be(tmp_path: Path, seed: int) -> None:
    (tmp_path / "fidsel.toml").write_bytes(document(FULL))
    with pytest.raises(FidselError, match=r"campaign\.seed"):
        load_config(tmp_path / "fidsel.toml", [f"campaign.seed={seed}"])
