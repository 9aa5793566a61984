"""Complaints of the schema as a person reads them: the place in the file, what must hold, what came."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from fidsel.exceptions import unknown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

OWN_CLASS = "package.module:Class"
EXAMPLES = {
    "basis": "'6-31G*'",
    "calculator": "'emt'",
    "method": "'mp2'",
    "name": "'dft'",
    "path": "'labels.npz'",
    "temperature": "500",
    "total": "2",
}
"""What a key that is required may be."""


def explain(error: ValidationError, values: Mapping[str, Any]) -> str:
    """Return all complaints about some values in one paragraph."""
    return "; ".join(
        _sentence(row, place(row["loc"], values, missing=row["type"] == "missing")) for row in error.errors()
    )


def place(loc: Sequence[str | int], values: Any, *, missing: bool = False) -> str:  # Any: what TOML holds
    """Return where in the file a complaint points, without the names pydantic gives to alternatives.

    Parameters
    ----------
    loc : as pydantic has it; a step that is not in the values names an alternative.
    values : what is not valid.
    missing : whether the last step is a key that should be there.

    Examples
    --------
    >>> place(("fidelity", 1, "pyscf", "basis"), {"fidelity": [{}, {"kind": "pyscf"}]}, missing=True)
    'fidelity.1.basis'
    """
    steps: list[str] = []
    for i, step in enumerate(loc):
        inside = isinstance(values, dict) and step in values
        if inside or (isinstance(values, list) and isinstance(step, int) and step < len(values)):
            values = values[step]
        elif isinstance(values, dict) and not (missing and i == len(loc) - 1):
            continue
        elif not isinstance(values, dict):
            break
        steps.append(str(step))
    return ".".join(steps)


def _sentence(row: "ErrorDetails", where: str) -> str:
    given = row["input"]
    match row["type"]:
        case "union_tag_invalid" | "union_tag_not_found":
            text = _kind(row, where)
        case "literal_error":
            text = str(unknown(where, str(given), _choices(str(row["ctx"]["expected"]))))
        case "missing":
            example = EXAMPLES.get(str(row["loc"][-1]))
            text = f"{where} is required" + (f", e.g. {where}={example}" if example else "")
        case "value_error":
            message = row["msg"].removeprefix("Value error, ")
            text = f"{where}: {message}" if where else message
        case "string_pattern_mismatch":
            text = f"{where} must be written {OWN_CLASS}, got {given!r}"
        case "too_short":
            text = f"{where} must have at least {row['ctx']['min_length']} entry"
        case "tuple_type" | "list_type":
            text = f"{where} must be a list, e.g. [{given!r}], got {given!r}"
        case "model_type" | "model_attributes_type" | "dict_type":
            text = f"{where or 'the file'} must be a section, got {given!r}"
        case _:
            text = f"{where} {row['msg'].replace('Input should be', 'must be')}, got {given!r}"
    return text


def _kind(row: "ErrorDetails", where: str) -> str:
    """Return the complaint about a `kind` that is no kind of this section."""
    given = row["input"]
    kind = given.get("kind") if isinstance(given, dict) else None
    tags = _choices(row["ctx"].get("expected_tags", ""))  # pydantic names none where no kind came at all
    options = [OWN_CLASS if name == "custom" else name for name in tags]
    if not isinstance(given, dict):
        return f"{where} must be a section with a kind, got {given!r}"
    if kind is None:
        return f"{where}.kind is required" + (f", one of {', '.join(options)}" if options else "")
    return str(unknown(f"{where}.kind", str(kind), options))


def _choices(text: str) -> list[str]:
    """Return the names in a text such as "'a', 'b' or 'c'"."""
    return re.findall(r"'([^']*)'", text)
