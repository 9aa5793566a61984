"""The base of every section of fidsel.toml: frozen, no unknown keys, the nearest name as a hint."""

from difflib import get_close_matches
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

LONGEST_NAME = 200

OWN = r"^\w+(\.\w+)*:\w+$"
OwnClass = Annotated[str, Field(pattern=OWN)]
"""A user's own class, written `package.module:Class`."""


class Strict(BaseModel):
    """A section of the configuration; every field is documented under its name."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _no_unknown_keys(cls, values: Any) -> Any:  # Any: what TOML holds before it is checked
        if isinstance(values, dict):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            for key in values:
                if key not in known:
                    below = _sections_with(str(key), cls)
                    near = [f"{name}.{key}" for name in below] or get_close_matches(str(key), known, n=1)
                    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
                    raise ValueError(f"unknown key {key!r}: {hint}it takes {', '.join(known)}")
        return values


def _sections_with(key: str, section: type[BaseModel]) -> list[str]:
    """Return the sections inside a section that take a key."""
    return [name for name, field in section.model_fields.items() if key in _keys(field.annotation)]


def _keys(annotation: Any) -> set[str]:  # Any: a type as it is written
    """Return the keys of the section that a type stands for, of all of them where it is one of several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return set(annotation.model_fields)
    return {key for one in get_args(annotation) for key in _keys(one)}


def named(value: str) -> str:
    """Return a name that a page of MLflow can show.

    Raises
    ------
    ValueError
        where it is blank, or longer than MLflow stores.
    """
    if not value.strip() or len(value) > LONGEST_NAME:
        raise ValueError(
            f"a name must have 1 to {LONGEST_NAME} characters that are not all blanks, got {value!r}"
        )
    return value


def kind_or_custom(value: Any) -> str:  # Any: a dict before, a section after validation
    """Return the tag of a section: its kind, "custom" for a class path, "" where there is none."""
    kind = value.get("kind", "") if isinstance(value, dict) else getattr(value, "kind", "")
    return "custom" if ":" in str(kind) else str(kind)
