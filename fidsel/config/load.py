"""From TOML to a checked configuration."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from fidsel.config.schema import Config
from fidsel.config.strict import Strict
from fidsel.errors import UsageError

Schema = TypeVar("Schema", bound=Strict)


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration in a file, with `a.b=value` overrides merged left to right.

    Raises
    ------
    UsageError
        where the file cannot be read, is not TOML, or holds something the schema does not allow.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path} does not exist; `fidsel init` writes one, or name its folder with -C"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    return check_config(Config, values, overrides, str(path))


def check_config(schema: type[Schema], values: dict[str, Any], overrides: Sequence[str], name: str) -> Schema:
    """Return checked settings, with `a.b=value` overrides merged left to right; `name` is for messages."""
    for override in overrides:
        _merge(values, override)
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{name} is not a valid configuration: {_explain(error)}") from error


def _merge(values: dict[str, Any], override: str) -> None:
    """Put `a.b=value` into nested tables; the value is read as TOML, else as text."""
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(f"an override is written section.key=value, got {override!r}")
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for key in keys[:-1]:
        values = _step(values, key, override)
    if isinstance(values, list):
        raise UsageError(f"{override!r} must name a key inside entry 0 to {len(values) - 1} of the list")
    values[keys[-1]] = value


def _step(values: Any, key: str, override: str) -> Any:
    """Return the table below a key, made when it is not there; lists of tables are numbered."""
    if isinstance(values, list):
        if not key.isdigit() or int(key) >= len(values):
            raise UsageError(f"{override!r}: {key!r} must be an index from 0 to {len(values) - 1}")
        return values[int(key)]
    below = values.setdefault(key, {})
    if not isinstance(below, (dict, list)):
        raise UsageError(f"{override!r}: {key!r} is a value, not a section")
    return below


def _explain(error: ValidationError) -> str:
    """Return all complaints in one paragraph, each with the place in the file."""
    parts = []
    for row in error.errors():
        place = ".".join(str(step) for step in row["loc"]) or "the file"
        message = row["msg"].removeprefix("Value error, ")
        given = row.get("input")
        shown = f" (got {given!r})" if isinstance(given, (str, int, float, bool)) else ""
        parts.append(f"{place}: {message}{shown}")
    return "; ".join(parts)
