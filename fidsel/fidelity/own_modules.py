"""Modules of the user's own: a campaign's own file is taken, and never one of another campaign."""

import ast
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from importlib.machinery import PathFinder
from pathlib import Path
from site import getusersitepackages
from types import ModuleType
from typing import Final

from fidsel.exceptions import UsageError
from fidsel.fidelity.engine.pins import PINS, pin, unpin

ADDED: Final[set[str]] = set()
"""Folders of campaigns at the end of `sys.path`: their modules find what lies beside them."""


class ModuleTakenError(UsageError):
    """The process has another module of that name already."""


def file_of(module: str, root: Path) -> Path | None:
    """Return the file of a module in a campaign's folder; None where it is not there.

    Parameters
    ----------
    module : "package.module".
    """
    paths, found = [str(root.resolve())], None
    for name in module.split("."):
        found = PathFinder.find_spec(name, paths)
        if found is None:
            return None
        paths = list(found.submodule_search_locations or ())
    return Path(found.origin) if found is not None and found.origin else None


def file_elsewhere(module: str) -> str | None:
    """Return what a file of a module's top-level name would hide: where an installed one is, or None."""
    first = module.partition(".")[0]
    with _campaigns_hidden():
        found = PathFinder.find_spec(first, sys.path)
    if found is not None and found.origin:
        return found.origin
    return "Python itself" if first in sys.stdlib_module_names else None


def import_own(module: str, root: Path) -> ModuleType:
    """Return a module of a campaign's folder, or else one that is installed or on PYTHONPATH.

    A process has one module of each name. So a file of the folder is taken before all else of its name, here
    and in worker processes, and where another module of that name is loaded it is refused. The same holds for
    the files of the folder that it imports.

    Raises
    ------
    ModuleTakenError
        where this process has another module of its name, or of one that it imports.
    ImportError
        where there is none; what its own code raises comes through.
    """
    invalidate_caches()  # files may have been written a moment ago
    folder, first = root.resolve(), module.partition(".")[0]
    if first == "fidsel":  # also in a checkout of it
        return import_module(module)
    if file_of(module, folder) is None:
        return _import_installed(module, folder)
    wanted = [first, *_imported(first, folder)]
    for name in wanted:
        _refuse_taken(name, folder, module)
    fresh = [name for name in wanted if name not in PINS]
    pin(dict.fromkeys(wanted, str(folder)))
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        ADDED.add(str(folder))
    try:
        return import_module(module)
    except BaseException:  # so that a corrected file can be elsewhere
        for name in fresh:
            if name not in sys.modules:
                unpin(name)
        raise


def _refuse_taken(name: str, folder: Path, module: str) -> None:
    """Raise where this process has another module of a name than that of a campaign's folder."""
    loaded = sys.modules.get(name)
    home = _home(loaded) if loaded is not None else Path(PINS[name]) if name in PINS else folder
    if home == folder:
        return
    here = _place(name, folder)
    file = getattr(loaded, "__file__", None)
    there = "that of Python itself" if home is None else file or _place(name, home)
    needed = "" if name == module.partition(".")[0] else f", which {module} imports"
    raise ModuleTakenError(
        f"there can be one module {name!r} in a process, and this one has {there} already: it cannot take "
        f"{here}{needed}. Give one of the two another name, use them in different processes, or put a file "
        "that both are to share on PYTHONPATH and in neither folder"
    )


def _import_installed(module: str, folder: Path) -> ModuleType:
    """Return a module that is in no folder of a campaign."""
    first = module.partition(".")[0]
    loaded = sys.modules.get(first)
    home = Path(PINS[first]) if loaded is None and first in PINS else loaded and _home(loaded)
    with _campaigns_hidden():
        if home and str(home) in ADDED:
            if PathFinder.find_spec(first, sys.path) is None:
                raise ModuleNotFoundError(
                    f"No module named {first!r}: {_place(first, home)} is that of another campaign",
                    name=first,
                )
            _refuse_other(first, home, folder)
        found = PathFinder.find_spec(first, sys.path)
        if found is not None and found.origin and not _is_installed(found.origin):
            beside = Path(found.origin)
            for name in _imports(beside.parent if beside.name == "__init__.py" else beside) & PINS.keys():
                _refuse_other(name, Path(PINS[name]), folder)
        return import_module(module)


def _refuse_other(name: str, home: Path, folder: Path) -> None:
    """Raise where what `sys.path` has of a name is not what another campaign took from its folder."""
    found = PathFinder.find_spec(name, sys.path)
    if found is None:
        return
    inside = list(found.submodule_search_locations or ())
    here = inside[0] if inside else str(found.origin)
    if Path(here).parent.resolve() != home:
        raise ModuleTakenError(
            f"there can be one module {name!r} in a process, and this one has {_place(name, home)}, of "
            f"another campaign: it cannot take {here} for {folder}. Give one of the two another name, or use "
            "them in different processes"
        )


@contextmanager
def _campaigns_hidden() -> Iterator[None]:
    """Leave the folders of campaigns out of `sys.path`."""
    hidden = [path for path in sys.path if path in ADDED]
    sys.path[:] = [path for path in sys.path if path not in ADDED]
    try:
        yield
    finally:
        sys.path.extend(hidden)


def _imported(first: str, folder: Path) -> list[str]:
    """Return names of the modules in a folder that a module there imports, and those that they import.

    What is installed is not taken from the folder: a file there only happens to have its name.
    """
    found, waiting = [first], [first]
    while waiting:
        for name in sorted(_imports(_place(waiting.pop(), folder))):
            if name not in found and _is_helper(name, folder):
                found.append(name)
                waiting.append(name)
    return found[1:]


def _is_helper(name: str, folder: Path) -> bool:
    spec = PathFinder.find_spec(name, [str(folder)])
    if spec is None or name in sys.stdlib_module_names or name == "fidsel":
        return False
    others = [path for path in sys.path if path not in ADDED and Path(path).resolve() != folder]
    there = PathFinder.find_spec(name, others)
    if there is None or there.origin is None:
        return spec.origin is not None or any(_place(name, folder).rglob("*.py"))
    # a folder without __init__.py gives way to any module of its name
    return spec.origin is not None and not _is_installed(there.origin)


def _is_installed(file: str) -> bool:
    places = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")} | {getusersitepackages()}
    return any(Path(file).is_relative_to(place) for place in places)


def _imports(place: Path) -> set[str]:
    """Return the top-level names that the code of a file or package imports, wherever in it that stands."""
    found = set()
    for file in place.rglob("*.py") if place.is_dir() else [place]:
        if file.suffix != ".py":
            continue
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):  # its import says so better
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found


def _place(name: str, folder: Path) -> Path:
    """Return the file or the folder of a top-level module."""
    spec = PathFinder.find_spec(name, [str(folder)])
    if spec is None or spec.origin is None or spec.submodule_search_locations is not None:
        return folder / name
    return Path(spec.origin)


def _home(module: ModuleType) -> Path | None:
    """Return the folder that a loaded module lies in; None where it is of no file."""
    inside = next(iter(getattr(module, "__path__", ())), None)
    file = inside or getattr(module, "__file__", None)
    return None if file is None else Path(file).parent.resolve()
