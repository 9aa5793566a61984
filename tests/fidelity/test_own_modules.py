"""Modules of campaigns: each folder's own, or a refusal; never those of another folder."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from fidsel.fidelity.engine.pins import PINS
from fidsel.fidelity.own_modules import ModuleTakenError, file_elsewhere, file_of, import_own

pytestmark = pytest.mark.usefixtures("own_modules_go_away")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two campaigns' folders."""
    made = tmp_path / "one", tmp_path / "two"
    for folder in made:
        folder.mkdir()
    return made


def write(folder: Path, **files: str) -> None:
    """Write modules, by their names without `.py`."""
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def taken(there: Path, here: Path) -> str:
    """Return what says that a file of one folder keeps one of another out."""
    return f"{re.escape(str(there))} already: it cannot take {re.escape(str(here))}"


def test_one_name_in_two_folders_is_refused(folders: tuple[Path, Path]) -> None:
    one, two = folders
    for folder in folders:
        write(folder, same="NAME = 1")
    assert import_own("same", one).NAME == 1
    with pytest.raises(ModuleTakenError, match=taken(one / "same.py", two / "same.py")):
        import_own("same", two)
    assert import_own("same", one).__file__ == str(one / "same.py")


def test_a_link_to_a_folder_is_that_folder(folders: tuple[Path, Path], tmp_path: Path) -> None:
    write(folders[0], linked="")
    (tmp_path / "link").symlink_to(folders[0])
    assert import_own("linked", folders[0]) is import_own("linked", tmp_path / "link")


@pytest.mark.parametrize(
    "how", ["import beside", "from beside import NAME", "def f():\n    import beside.part"]
)
@pytest.mark.parametrize("beside", ["beside", "beside/__init__", "beside/part"])
def test_what_a_module_imports_from_its_folder_is_held_to_the_same(
    folders: tuple[Path, Path], how: str, beside: str
) -> None:
    one, two = folders
    lazy = how if "def" in how else f"def f():\n    {how}"
    write(one, early=lazy, **{beside: "NAME = 1"})
    write(two, late=lazy, **{beside: "NAME = 2"})
    import_own("early", one)
    with pytest.raises(
        ModuleTakenError, match=r"one/beside.* cannot take .*two/beside.*, which late imports"
    ):
        import_own("late", two)


def test_the_campaigns_file_wins_over_others_on_the_path(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, wins="NAME = 'script'", helps="NAME = 'script'")
    write(folders[0], wins="from helps import NAME", helps="NAME = 'campaign'")
    monkeypatch.syspath_prepend(tmp_path)
    assert import_own("wins", folders[0]).NAME == "campaign"


def test_one_that_a_script_has_loaded_is_refused(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, loaded_before="")
    write(folders[0], loaded_before="")
    monkeypatch.syspath_prepend(tmp_path)
    import_module("loaded_before")
    with pytest.raises(ModuleTakenError, match=taken(tmp_path / "loaded_before.py", folders[0])):
        import_own("loaded_before", folders[0])
    write(folders[0], math="")
    with pytest.raises(ModuleTakenError, match="one module 'math'"):
        import_own("math", folders[0])


def test_a_folder_without_it_does_not_get_that_of_another(folders: tuple[Path, Path]) -> None:
    one, two = folders
    write(one, only="", unused="", more="import importlib\nimportlib.import_module('unseen')", unseen="")
    import_own("only", one)
    import_own("more", one)
    for name in ("only", "unseen"):
        with pytest.raises(
            ModuleNotFoundError, match=rf"'{name}'.*one/{name}.py is that of another campaign"
        ):
            import_own(name, two)
    with pytest.raises(ModuleNotFoundError, match="No module named 'unused'"):
        import_own("unused", two)


def test_one_on_the_path_serves_all_folders(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, shared="")
    monkeypatch.syspath_prepend(tmp_path)
    assert import_own("shared", folders[0]) is import_own("shared", folders[1])


def test_one_on_the_path_is_not_that_of_a_campaign(
    folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folders[0], both="", also="import both")
    write(tmp_path, both="", needs="import both")
    import_own("also", folders[0])
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("both", "needs"):
        with pytest.raises(ModuleTakenError, match=r"has .*one/both.py, of another campaign: it cannot take"):
            import_own(name, folders[1])


def test_what_is_installed_is_not_taken_from_the_folder(folders: tuple[Path, Path]) -> None:
    write(folders[0], user="import ase, copy, json.decoder", ase="", copy="", **{"json/__init__": ""})
    found = import_own("user", folders[0])
    assert {Path(one.__file__).parents[1] for one in (found.ase, found.json)}.isdisjoint({folders[0]})
    assert Path(found.copy.__file__).parent != folders[0]


def test_a_file_that_fails_can_be_mended_or_go(folders: tuple[Path, Path]) -> None:
    one, two = folders
    write(one, fails="import fails_beside\n1/0", fails_beside="NAME = 1")
    with pytest.raises(ZeroDivisionError):
        import_own("fails", one)
    write(one, fails="NAME = 1 + 0")
    assert import_own("fails", one).NAME == 1
    write(one, broken="(")
    with pytest.raises(SyntaxError):
        import_own("broken", one)
    write(two, broken="NAME = 2")
    assert import_own("broken", two).NAME == 2


def test_the_file_of_a_module_in_packages(folders: tuple[Path, Path]) -> None:
    folder = folders[0]
    write(folder, **{"pack/__init__": "", "pack/inner": "NAME = 1", "bare/inner": "NAME = 2"})
    assert file_of("pack.inner", folder) == folder / "pack" / "inner.py"
    assert file_of("pack", folder) == folder / "pack" / "__init__.py"
    assert file_of("bare", folder) is file_of("bare.other", folder) is file_of("none", folder) is None
    assert import_own("pack.inner", folder).NAME == 1
    assert import_own("bare.inner", folder).NAME == 2


def test_what_a_file_would_hide_is_known(folders: tuple[Path, Path]) -> None:
    write(folders[0], mine="NAME = 1")
    import_own("mine", folders[0])
    assert str(file_elsewhere("ase.nowhere")).endswith("__init__.py")
    assert file_elsewhere("sys") == "Python itself"
    assert file_elsewhere("mine") is file_elsewhere("none") is None, "the folder of a campaign hides nothing"


def test_a_module_of_fidsel_is_no_campaigns_own(tmp_path: Path) -> None:
    """Not even where a campaign lies in a checkout of fidsel."""
    (tmp_path / "fidsel").mkdir()
    (tmp_path / "fidsel" / "__init__.py").touch()
    found = import_own("fidsel.selector", tmp_path)
    assert found is sys.modules["fidsel.selector"]
    assert "fidsel" not in PINS
