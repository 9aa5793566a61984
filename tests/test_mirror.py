"""Every module has its test file: `fidsel/x/y.py` is tested by `tests/x/test_y.py`."""

from pathlib import Path

import pytest

import fidsel

TESTS, ROOT = Path(__file__).parent, Path(fidsel.__file__).parent

PARTS = ("data", "fidelity", "selector", "models", "training", "md", "report", "campaign", "tracking")
PARTS += ("refine", "testing", "config", "tasks", "cli")
"""Parts that hold to it in full."""

ELSEWHERE = {
    "fidelity/buying/buyer.py": "fidelity/buying/test_purchase.py",  # only ever made by `buy`
    "fidelity/engine/guard.py": "fidelity/engine/test_local.py",  # only seen when a driver is killed
    "fidelity/engine/serve.py": "fidelity/engine/test_worker.py",  # the other end of a worker's pipe
    "selector/error_sources/registry.py": "selector/test_contracts.py",  # a dict
    "selector/pool.py": "selector/test_contracts.py",  # contracts
}
"""Modules whose tests are in another file, and why."""


def modules(part: str) -> list[str]:
    """Return the modules of a part, from its root."""
    paths = sorted(path for path in (ROOT / part).rglob("*.py") if path.name != "__init__.py")
    return [path.relative_to(ROOT).as_posix() for path in paths]


def file_of(module: str) -> str:
    """Return the test file of a module."""
    path = Path(module)
    return ELSEWHERE.get(module, (path.parent / f"test_{path.name}").as_posix())


@pytest.mark.parametrize("part", PARTS)
def test_every_module_has_its_test_file(part: str) -> None:
    found = modules(part)
    assert found
    assert [module for module in found if not (TESTS / file_of(module)).exists()] == []


def test_what_is_tested_elsewhere_is_still_there() -> None:
    assert [module for module in ELSEWHERE if not (ROOT / module).exists()] == []
