"""Sections of fidsel.toml made from classes: a key for each argument, described as the class describes it."""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from inspect import Parameter, cleandoc, signature
from pathlib import Path
from types import GenericAlias, MappingProxyType, UnionType
from typing import Annotated, Any, ClassVar, Final, Literal, Self, Union, get_args, get_origin

from pydantic import Discriminator, Field, GetCoreSchemaHandler, Tag, create_model, model_validator
from pydantic_core import CoreSchema

from fidsel.arguments import Internal
from fidsel.config.strict import Strict, kind_or_custom

BY_CALLER: Final = ("level", "seed", "device")
"""Arguments that whoever builds a model gives."""
NO_SOURCE: Final[Mapping[str, Any]] = MappingProxyType({"use_attribute_docstrings": False})
"""A made class has no source: pydantic would look for it in every module, 0.1 s for each class."""
NONE: Final[Mapping[Any, Any]] = MappingProxyType({})


class Section(Strict):
    """A section whose kind says what it describes."""

    kind: str
    """Which of them."""

    @abstractmethod
    def build(self, root: Path) -> Any:  # Any: what the section describes
        """Return what the section describes; paths in it start at `root`.

        Raises
        ------
        UsageError
            where it cannot be.
        """


class ClassSection(Section):
    """A section whose kind names a class, and whose other keys are that class's arguments."""

    made: ClassVar[Callable[..., Any]]
    """The class."""
    own_keys: ClassVar[tuple[str, ...]] = ()
    """Those of the section's keys that are its arguments."""
    checked: ClassVar[bool] = False
    """Whether an instance is made at once, to see if the arguments fit together."""

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if type(self).checked:
            models = {key for key in type(self).own_keys if isinstance(getattr(self, key), Section)}
            type(self).made(**self.arguments(Path(), models))
        return self

    def arguments(self, root: Path, without: set[str] | frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return the arguments of the class; paths start at `root`."""
        usual = signature(type(self).made).parameters
        return {
            key: _value(getattr(self, key), usual[key].default, root)
            for key in type(self).own_keys
            if key not in without
        }

    def build(self, root: Path) -> Any:
        """Return an instance of the class; see `Section.build`."""
        return type(self).made(**self.arguments(root))


class Changes(Strict):
    """A table of what differs from the value that stands where nothing is said."""

    def applied(self, usual: Any) -> Any:
        """Return the usual value with what is given here."""
        return replace(usual, **self.model_dump(exclude_none=True))


class Kinds:
    """Annotates a field that takes one of several sections, by their kind.

    Parameters
    ----------
    sections : by kind; "custom" = where the kind is a class of the user's own.
    usual : kind where none is given; "" = it must be.
    """

    def __init__(self, sections: Mapping[str, type[Section]], usual: str = "") -> None:
        self.sections, self.usual = sections, usual

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of a choice between the sections."""
        choices = tuple(Annotated[one, Tag(kind)] for kind, one in self.sections.items())
        return handler.generate_schema(Annotated[Union[choices], Discriminator(self._kind)])  # noqa: UP007

    def _kind(self, value: Any) -> str:  # Any: a dict before, a section after validation
        return kind_or_custom(value) or self.usual


def section(
    kind: str, made: Callable[..., Any], base: type[ClassSection], types: Mapping[Any, Any] = NONE
) -> Any:
    """Return the section of a class, in which each argument is a key.

    Parameters
    ----------
    kind : names the class in a file.
    made : the class; its docstring says in its first paragraph what it is and under "Parameters" what each
        argument is. Arguments marked `Internal` are no keys.
    base : has the keys that sections of all such classes share.
    types : what stands in a file for a type that no file can hold.
    """
    summary, words = described(made)
    taken = {name: one for name, one in signature(made).parameters.items() if _is_key(one)}
    anew = {one.name: one.default_factory for one in fields(made)} if is_dataclass(made) else {}
    keys: dict[str, Any] = {
        name: _field(one, words.get(name), types, anew.get(name, MISSING)) for name, one in taken.items()
    }
    keys["kind"] = (Literal[kind], Field(kind, description=summary))
    name = f"{made.__name__}Section"
    found: Any = create_model(name, __base__=base, __doc__=summary, __cls_kwargs__=dict(NO_SOURCE), **keys)
    found.made, found.own_keys = made, tuple(taken)
    return found


@cache
def changes(made: Any) -> Any:  # Any: a dataclass, and a class made for it
    """Return the table of what may differ from some value of a dataclass; no key is required."""
    summary, words = described(made)
    keys: dict[str, Any] = {
        name: (in_a_file(one.annotation) | None, Field(None, description=words.get(name)))
        for name, one in signature(made).parameters.items()
        if _is_key(one)
    }
    name = f"{made.__name__}Section"
    return create_model(name, __base__=Changes, __doc__=summary, __cls_kwargs__=dict(NO_SOURCE), **keys)


def described(made: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the first paragraph of a class's docstring, and what its "Parameters" say of each.

    >>> from fidsel.training.stage import Stage
    >>> described(Stage)[1]["batch"]
    'Frames per step.'
    """
    summary, _, rest = cleandoc(made.__doc__ or "").partition("\n\n")
    listed = rest.partition("Parameters\n----------\n")[2]
    listed = re.split(r"\n\n\S[^\n]*\n-+\n", listed)[0]
    words = {
        name: _sentence(said)
        for names, said in re.findall(r"^(\w[\w, ]*) : ((?:.|\n(?!\S))*)", listed, re.MULTILINE)
        for name in names.split(", ")
    }
    return " ".join(summary.split()), words


def in_a_file(hint: Any, types: Mapping[Any, Any] = NONE) -> Any:  # Any: an annotation
    """Return an annotation as pydantic checks it: sequences are tuples, and some types have another form.

    >>> in_a_file(Sequence[int] | None)
    typing.Optional[tuple[int, ...]]
    """
    origin, inner = get_origin(hint), get_args(hint)
    if hint in types:
        return types[hint]
    if origin is Annotated:
        return Annotated[(in_a_file(inner[0], types), *inner[1:])]
    if origin is Sequence:
        return GenericAlias(tuple, (in_a_file(inner[0], types), ...))
    if origin in (Union, UnionType):
        return Union[tuple(in_a_file(one, types) for one in inner)]  # noqa: UP007
    return hint


def _field(
    one: Parameter, words: str | None, types: Mapping[Any, Any], anew: Any = MISSING
) -> tuple[Any, Any]:
    """Return type and field of an argument; a value of settings inside becomes a table of changes.

    `anew` makes the default, where a dataclass makes one for each instance.
    """
    if anew is not MISSING:
        return in_a_file(one.annotation, types), Field(default_factory=anew, description=words)
    if is_dataclass(one.default):
        kind: Any = type(one.default)
        table = changes(kind)
        return table, Field(table(), description=words)
    default = ... if one.default is Parameter.empty else one.default
    return in_a_file(one.annotation, types), Field(default, description=words)


def _is_key(one: Parameter) -> bool:
    return one.name not in BY_CALLER and Internal not in get_args(one.annotation)


def _value(given: Any, usual: Any, root: Path) -> Any:
    """Return an argument from what stands for it in a section."""
    if isinstance(given, Changes):
        return given.applied(usual)
    if isinstance(given, Section):
        return given.build(root)
    return root / given if isinstance(given, Path) else given


def _sentence(text: str) -> str:
    """Return a text as a sentence on one line; a symbol or a unit it begins with stays as it is."""
    line = " ".join(text.split())
    if re.match(r"[a-z]+([ ,;:]|$)", line):
        line = line[0].upper() + line[1:]
    return line if line.endswith(".") else f"{line}."
