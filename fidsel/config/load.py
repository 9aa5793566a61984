"""From TOML to a checked configuration."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from fidsel.config.explain import explain
from fidsel.config.schema import Config
from fidsel.config.strict import Strict
from fidsel.exceptions import UsageError

FILE = "fidsel.toml"

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
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, numbers without end, too deep
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    return check_config(Config, values, overrides, str(path))


def check_config(schema: type[Schema], values: dict[str, Any], overrides: Sequence[str], name: str) -> Schema:
    """Return checked settings, with `a.b=value` overrides merged left to right; `name` is for messages."""
    for override in listed(overrides):
        merge(values, override)
    if any("\0" in text for text in _texts(values)):
        raise UsageError(f"{name} holds a null character, which no name or path can have: remove it")
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{name} is not valid: {explain(error, values)}") from error


def listed(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return overrides, of which a single one may be given without a list around it.

    >>> listed("campaign.rounds=2"), listed(["campaign.rounds=2"])
    (('campaign.rounds=2',), ('campaign.rounds=2',))
    """
    return (overrides,) if isinstance(overrides, str) else tuple(overrides)


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts in nested tables and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, Mapping)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def merge(values: dict[str, Any], override: str) -> None:
    """Put `a.b=value` into nested tables; the value is read as TOML, else as text.

    Lists of tables are indexed from 0. What is named but not there yet is made.

    Raises
    ------
    UsageError
        where the override is not of that form, or names a place that cannot be.

    Examples
    --------
    >>> values = {"fidelity": [{"name": "dft"}]}
    >>> merge(values, "fidelity.0.price.value=2")
    >>> merge(values, "pool.smiles=CO")
    >>> values
    {'fidelity': [{'name': 'dft', 'price': {'value': 2}}], 'pool': {'smiles': 'CO'}}
    """
    name, equals, text = override.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(f"an override is written section.key=value, got {override!r}")
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()
    here: Any = values
    for key in keys[:-1]:
        here = _step(here, key, override)
    if isinstance(here, list):
        here[_index(here, keys[-1], override)] = value
    else:
        here[keys[-1]] = value


def _step(values: Any, key: str, override: str) -> Any:
    """Return the table below a key, made when it is not there; lists of tables are numbered."""
    below = values[_index(values, key, override)] if isinstance(values, list) else values.setdefault(key, {})
    if not isinstance(below, (dict, list)):
        raise UsageError(f"the override {override!r} asks for a key inside {key!r}, which is {below!r}")
    return below


def _index(values: list[Any], key: str, override: str) -> int:
    if not key.isdecimal() or int(key) >= len(values):
        raise UsageError(
            f"the override {override!r} must name an entry from 0 to {len(values) - 1} of a list, got {key!r}"
        )
    return int(key)
