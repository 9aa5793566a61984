"""The parts of the package import one way only."""

import ast
from pathlib import Path

import fidsel

ORDER = [
    "exceptions",
    "arguments",
    "arrays",
    "data",
    "fidelity",
    "selector",
    "models",
    "training",
    "md",
    "report",
    "refine",
]
ORDER += ["campaign", "tracking", "testing", "config", "tasks", "cli"]
ROOT = Path(fidsel.__file__).parent


def imported_parts(path: Path) -> set[str]:
    """Parts of fidsel that a file imports, wherever in the file it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert "fidsel" not in names, f"{path}: import the part, not the package"
    return {name.split(".")[1] for name in names if name.startswith("fidsel.")}


def test_every_part_has_a_place_in_the_order() -> None:
    found = {p.stem for p in ROOT.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert found - {"__init__", "__main__"} <= set(ORDER)


def test_imports_flow_one_way() -> None:
    for path in ROOT.rglob("*.py"):
        part = path.relative_to(ROOT).with_suffix("").parts[0]
        if part in ORDER:
            allowed = set(ORDER[: ORDER.index(part) + 1])
            assert imported_parts(path) <= allowed, f"{path} imports a later part"


def test_a_folder_is_a_room() -> None:
    """More than fifteen files are a list: they want folders named after the method's nouns."""
    sizes = {folder: sum(1 for _ in folder.glob("[!_]*.py")) for folder in ROOT.rglob("*") if folder.is_dir()}
    assert {str(folder.relative_to(ROOT)): n for folder, n in sizes.items() if n > 15} == {}
