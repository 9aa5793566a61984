"""A pinned module comes from its folder, in this process and in workers that are idle already."""

from importlib import import_module
from pathlib import Path

import pytest
from ase import Atoms

from fidsel.fidelity import Label
from fidsel.fidelity.engine.local import LocalEngine
from fidsel.fidelity.engine.pins import pin
from fidsel.fidelity.engine.task import Task

pytestmark = pytest.mark.usefixtures("own_modules_go_away")

CONSTANT = """
from fidsel.fidelity import Label

class Constant:
    forces = False
    def settings(self):
        return {{"kind": "constant"}}
    def label(self, atoms):
        return Label({0}, None)
"""


def test_it_wins_over_sys_path_here_and_in_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, energy in (("first", 1.0), ("pinned", 2.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pinned_source.py").write_text(CONSTANT.format(energy))
    monkeypatch.syspath_prepend(tmp_path / "first")
    (tmp_path / "first" / "other_source.py").write_text(CONSTANT.format(3.0))
    other = import_module("other_source").Constant()
    with LocalEngine(1) as engine:

        def energy(source: object) -> float:
            ((_, outcome, _),) = engine.run([Task("one", Atoms("H"), source)])  # type: ignore[arg-type]
            assert isinstance(outcome, Label)
            return outcome.energy

        assert energy(other) == 3.0
        pin({"pinned_source": str(tmp_path / "pinned")})
        assert energy(import_module("pinned_source").Constant()) == 2.0


def test_it_is_not_another_of_its_name_once_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone_source.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    pin({"gone_source": str(tmp_path / "elsewhere")})
    with pytest.raises(ModuleNotFoundError, match=r"'gone_source' is no longer in .*elsewhere"):
        import_module("gone_source")
