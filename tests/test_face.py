"""What `import fidsel` offers: every name is there, light to import, and its example runs."""

import dataclasses
import doctest
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import fidsel

FUNCTIONS = sorted(set(fidsel.__all__) - {"__version__"})
PARTS = [module.name for module in iter_modules(fidsel.__path__) if module.ispkg]
EXPORTING = [part for part in PARTS if hasattr(import_module(f"fidsel.{part}"), "__all__")]
HEAVY = ["torch", "mlflow", "openmm", "pyscf", "rdkit", "sklearn", "matplotlib", "pydantic", "typer"]


def test_the_names_are_those_of_the_docstring() -> None:
    assert set(FUNCTIONS) == set(fidsel.PLACES)
    assert set(FUNCTIONS) <= set(dir(fidsel))
    rows = (fidsel.__doc__ or "").split("=\n")[2].splitlines()
    told = {line.split("`")[1] for line in rows if line.startswith("`")}
    assert told == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_has_an_example_that_runs(name: str) -> None:
    function = getattr(fidsel, name)
    found = doctest.DocTestFinder(recurse=False).find(function, name, globs=vars(inspect.getmodule(function)))
    assert sum(len(test.examples) for test in found) > 0
    assert "+SKIP" not in function.__doc__
    runner = doctest.DocTestRunner(verbose=False)
    assert sum(runner.run(test).failed for test in found) == 0


def test_importing_it_is_light() -> None:
    code = (
        "import sys, fidsel, fidsel.cli; dir(fidsel); print(*[m for m in sys.argv[1:] if m in sys.modules])"
    )
    heavy = [name for name in HEAVY if name != "typer"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("part", fidsel.PARTS)
def test_a_part_is_there_once_it_is_named(part: str) -> None:
    assert f"`fidsel.{part}`" in (fidsel.__doc__ or "") or f"`{part}`" in (fidsel.__doc__ or "")
    code = f"import fidsel; print(fidsel.{part}.__name__, '{part}' in dir(fidsel), 'Any' in dir(fidsel))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"fidsel.{part}", "True", "False"]


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'trian'; it offers .*train"):
        _ = fidsel.trian


@pytest.mark.parametrize("part", PARTS)
def test_what_a_part_exports_is_there_and_documented(part: str) -> None:
    module = import_module(f"fidsel.{part}")
    assert module.__doc__
    names = list(getattr(module, "__all__", ()))
    assert len(names) == len(set(names))
    for name in names:
        found = getattr(module, name)
        if inspect.isclass(found) or inspect.isroutine(found):
            assert found.__doc__, f"fidsel.{part}.{name} has no docstring"


@pytest.mark.parametrize("part", PARTS)
def test_no_name_of_a_part_hides_a_module(part: str) -> None:
    module = import_module(f"fidsel.{part}")
    modules = {found.name for found in iter_modules([str(Path(next(iter(module.__path__))))])}
    hidden = modules & set(getattr(module, "__all__", ()))
    assert not hidden, f"in fidsel.{part} {', '.join(sorted(hidden))} are modules and functions at once"


def exported() -> list[type]:
    """Every dataclass that a part exports."""
    found = [
        getattr(module, name)
        for part in EXPORTING
        for module in [import_module(f"fidsel.{part}")]
        for name in module.__all__
    ]
    return sorted({one for one in found if inspect.isclass(one) and dataclasses.is_dataclass(one)}, key=str)


@pytest.mark.parametrize("value", exported(), ids=lambda value: value.__name__)
def test_values_with_arrays_are_shown_in_one_line(value: type) -> None:
    """The `repr` that `dataclass` makes would print the numbers of arrays."""
    if any(re.search("Array|Tensor", str(field.type)) for field in dataclasses.fields(value)):
        assert not hasattr(value.__repr__, "__wrapped__"), f"{value} shows its arrays: let __repr__ = shown"
