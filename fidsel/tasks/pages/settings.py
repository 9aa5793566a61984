"""The page on settings, written from the schema: every section, key, type, default and meaning."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fidsel.config.explain import OWN_CLASS
from fidsel.config.schema import Config
from fidsel.config.strict import Strict
from fidsel.tasks.evaluate import EvaluateConfig
from fidsel.tasks.outliers import OutlierConfig
from fidsel.tasks.pages.examples import EXAMPLES, Example
from fidsel.tasks.refine import RefineConfig
from fidsel.tasks.select import SelectConfig
from fidsel.tasks.train import TrainConfig

Node = Mapping[str, Any]
"""A part of a JSON schema."""

HEAD: Final = """\
# Settings

`fidsel.toml` holds all settings of a campaign. Every key may also be given on the command line, as in
`fidsel iterate budget.total=3 fidelity.0.threads=2` (lists are counted from 0). `fidsel config template`
prints a file to start from, `fidsel config validate` checks one and prints it with every default. Where the
default is "–", the meaning says what holds when the key is left out.

This page is written by `fidsel config schema --markdown`; do not edit it.
"""

ON_FILES: Final = """\
These take settings on the command line, without a file. `--model`, `--recipe` and `--picker` give kinds of
sections, so that no setting is required.
"""

COMMANDS: Final[Mapping[str, tuple[type[Strict], str]]] = {
    "fidsel train": (
        TrainConfig,
        "fidsel train cc.npz --cheap dft.npz --model painn model.features=32 recipe.finetune.steps=5000",
    ),
    "fidsel select": (
        SelectConfig,
        "fidsel select cc.npz --model painn --picker cluster-error model.features=32 selector.clusters=20",
    ),
    "fidsel evaluate": (
        EvaluateConfig,
        "fidsel evaluate ase:tblite cc.npz calculator.method=GFN2-xTB --out parity.png",
    ),
    "fidsel outliers": (
        OutlierConfig,
        "fidsel outliers ase:tblite cc.npz calculator.method=GFN2-xTB clusters=20",
    ),
    "fidsel refine": (
        RefineConfig,
        "fidsel refine model tests.npz --prior gfn2 --out refined steps=200",
    ),
}
"""Commands on files: their settings, and an example."""

TYPES: Final = {"string": "text", "boolean": "true or false", "object": "table"}
BOUNDS: Final = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}


def settings_page() -> str:
    """Return docs/settings.md."""
    schema = Config.model_json_schema()
    defs, places = schema["$defs"], _places(schema)
    parts = [HEAD, "## Examples\n", *(_example(one) for one in EXAMPLES)]
    for name, node in schema["properties"].items():
        title = f"`[[{name}]]`" if node.get("type") == "array" else f"`[{name}]`"
        parts += _section(title, node, defs, places)
    for name, place in places.items():
        if not place.startswith("["):
            shared = defs[name]
            parts += [f"## {place}\n", f"{shared['description']}\n", _table(shared, places)]
    parts.append(f"## Commands on files\n\n{ON_FILES}")
    for command, (settings, usage) in COMMANDS.items():
        parts += [f"### {command}\n", f"`{usage}`\n", _table(settings.model_json_schema(), places)]
    return "\n".join(parts)


def _example(example: Example) -> str:
    module = ""
    if example.module:
        module = f"\n`{example.module[0]}`:\n\n```python\n{example.module[1]}```\n"
    return f"### {example.title}\n\n{example.text}\n\n```toml\n{example.toml}```\n{module}"


def _places(schema: Node) -> dict[str, str]:
    """Return where on the page each part of the schema stands: "[model]", or the heading of its own."""
    found: dict[str, str] = {}
    for name, node in schema["properties"].items():
        for part in refs(node):
            found.setdefault(part, f"[{name}]")
    for part in list(found):
        for node in schema["$defs"][part]["properties"].values():
            for inner in refs(node):
                found.setdefault(inner, inner.removesuffix("Section").removesuffix("Config").lower())
    return found


def refs(node: Any) -> Iterator[str]:  # Any: a part of a JSON schema
    """Return the names of the parts that a part refers to, in order."""
    if isinstance(node, Mapping):
        if "$ref" in node:
            yield str(node["$ref"]).split("/")[-1]
        for key in ("oneOf", "anyOf", "items"):
            yield from refs(node.get(key))
    elif isinstance(node, list):
        for inner in node:
            yield from refs(inner)


def _section(title: str, node: Node, defs: Node, places: Mapping[str, str]) -> Iterator[str]:
    """Yield heading, text and tables of a section; keys that all its kinds share come first."""
    kinds = [defs[name] for name in refs(node)]
    yield f"## {title}\n"
    yield f"{node.get('description') or kinds[0]['description']}\n"
    if len(kinds) == 1:
        yield _table(kinds[0], places)
        return
    first, *others = (kind["properties"] for kind in kinds)
    shared = {key for key in first if key != "kind" and all(first[key] == row.get(key) for row in others)}
    usual = node.get("default", {}).get("kind")
    if shared:
        yield "With every kind:\n"
        yield _table(kinds[0], places, set(first) - shared)
    for kind in kinds:
        name = kind["properties"]["kind"].get("const", OWN_CLASS)
        default = " (by default)" if name == usual else ""
        yield f'### {title.strip("`[]")}: `kind = "{name}"`{default}\n'
        yield f"{kind['description']}\n"
        if table := _table(kind, places, shared | {"kind"}):
            yield table


def _table(part: Node, places: Mapping[str, str], without: set[str] | frozenset[str] = frozenset()) -> str:
    """Return the keys of a part as a table, "" where none are left."""
    rows = [
        f"| `{key}` | {_type(node, places)} | {_default(key, node, part)} | {_text(node)} |"
        for key, node in part["properties"].items()
        if key not in without
    ]
    if not rows:
        return ""
    return "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows, ""])


def _text(node: Node) -> str:
    """Return what a key means, on one line of a table."""
    return " ".join(str(node.get("description", "")).split()).replace("|", r"\|")


def _type(node: Node, places: Mapping[str, str]) -> str:
    """Return what may be given for a key."""
    if parts := list(refs(node)):
        place = places[parts[0]]
        return f"table, see [{place.strip('[]')}](#{place.strip('[]')})"
    if "anyOf" in node:
        return " or ".join(_type(one, places) for one in node["anyOf"] if one.get("type") != "null")
    if "enum" in node or "const" in node:
        return ", ".join(f"`{_toml(value)}`" for value in node.get("enum", [node.get("const")]))
    if "pattern" in node:
        return f'`"{OWN_CLASS}"`'
    if node["type"] == "array":
        return f"list of {_type(node['items'], places)}"
    bounds = [f"{sign} {node[key]:g}" for key, sign in BOUNDS.items() if key in node]
    kind = str(node["type"])
    return " ".join([TYPES.get(kind, kind), *([", ".join(bounds)] if bounds else [])])


def _default(key: str, node: Node, part: Node) -> str:
    if key in part.get("required", ()):
        return "required"
    value = node.get("default")
    return "–" if value is None or isinstance(value, dict) else f"`{_toml(value)}`"


def _toml(value: Any) -> str:  # Any: what JSON holds
    """Return a value as it is written in TOML.

    >>> _toml("md"), _toml(True), _toml([300.0, 1e-10])
    ('"md"', 'true', '[300.0, 1e-10]')
    """
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
