"""A user's own classes, of every sort: found, built and checked as far as that is quick."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import isabstract, isclass, signature
from pathlib import Path
from pickle import PicklingError
from typing import Any

import numpy as np

from fidsel.exceptions import UsageError
from fidsel.fidelity.own_modules import file_elsewhere, file_of, import_own
from fidsel.fidelity.source import LabelSource
from fidsel.models import MODELS, Fittable, ForceField
from fidsel.models.networks.base import NetworkForceField
from fidsel.selector import ERROR_SOURCES, ErrorSource, Picker
from fidsel.testing.picker import check_picker, example_pool, picked
from fidsel.testing.source import check_picklable, check_settings
from fidsel.training.stage import Recipe

Options = Mapping[str, Any]  # Any: whatever TOML holds


def own_source(kind: str, options: Options, root: Path) -> LabelSource:
    """Return a label source that keeps the rules which cost nothing to check.

    `fidsel.testing.check_source` checks the rest on a frame.

    Raises
    ------
    UsageError
        where the class cannot be had or breaks its contract, as in all functions here.
    """
    source = _build(own_class(kind, root), kind, options)
    if not isinstance(source, LabelSource):
        missing = [name for name in ("forces", "settings", "label") if not hasattr(source, name)]
        raise UsageError(f"label source {kind!r} lacks {', '.join(missing)}; see fidsel.fidelity.LabelSource")
    with _contract(kind):
        check_settings(source)
        try:
            check_picklable(source)
        except (PicklingError, TypeError, AttributeError) as error:
            raise AssertionError(f"a source must survive pickling, it does not ({error})") from error
    return source


def own_picker(kind: str, options: Options, root: Path) -> Picker:
    """Return a picker that keeps the rules of `fidsel.testing.check_picker`."""
    picker = _build(own_class(kind, root), kind, options)
    if not hasattr(picker, "pick"):
        raise UsageError(f"picker {kind!r} lacks pick; see fidsel.selector.pool.Picker")
    checked: Picker = picker
    with _contract(kind):
        check_picker(checked, random=_draws(checked))
    return checked


def own_model(kind: str, root: Path) -> type[ForceField]:
    """Return a class of force fields, known from now on to `fidsel.models.load`.

    That it can be trained and has a kind of its own is checked; `fidsel.testing` checks what its models do.
    """
    found = own_class(kind, root)
    if not (isclass(found) and issubclass(found, ForceField)) or isabstract(found):
        raise UsageError(
            f"model {kind!r} must be a class with all methods of fidsel.models.ForceField, got {found!r}"
        )
    if not is_trainable(found):
        raise UsageError(
            f"model {kind!r} must be trainable: derive it from fidsel.models.NetworkForceField, or give it "
            "fit(train, validation, weights)"
        )
    name = getattr(found, "kind", None)
    if not isinstance(name, str) or not _is_anew(found, MODELS.get(name, found)):
        raise UsageError(
            f"model {kind!r} must have a `kind`, a text that no other model has, got {name!r}: model files "
            "carry it"
        )
    MODELS[name] = found
    return found


def _is_anew(found: type, known: type) -> bool:
    """Return whether a class is one that is known, or comes in its place since its module was reloaded."""
    return (found.__module__, found.__qualname__) == (known.__module__, known.__qualname__)


def is_trainable(model: type[ForceField]) -> bool:
    """Return whether models of a class can be trained by themselves."""
    return issubclass(model, (NetworkForceField, Fittable))


def own_recipe(kind: str, root: Path) -> type[Recipe]:
    """Return a class of recipes; `fidsel.testing.check_recipe` checks what it trains."""
    found = own_class(kind, root)
    if not (isclass(found) and issubclass(found, Recipe)) or isabstract(found):
        raise UsageError(
            f"recipe {kind!r} must be a class with all methods of fidsel.training.Recipe, got {found!r}"
        )
    return found


def own_error_source(kind: str, root: Path) -> type[ErrorSource]:
    """Return a class of error sources, known from now on to `fidsel.selector.error_source` by its path."""
    found = own_class(kind, root)
    if not (isclass(found) and issubclass(found, ErrorSource)) or isabstract(found):
        raise UsageError(
            f"error source {kind!r} must be a class with all methods of fidsel.selector.ErrorSource, got "
            f"{found!r}"
        )
    if not isinstance(getattr(found, "name", None), str):
        raise UsageError(f"error source {kind!r} must have a `name`, a text that messages call it by")
    _build(found, kind, {})
    ERROR_SOURCES[kind] = found
    return found


def build_own_model(found: type[ForceField], kind: str, options: Options, seed: int) -> ForceField:
    """Return an untrained model of a person's own class; `seed` is passed beside its options."""
    model: ForceField = _build(found, kind, {**options, "seed": seed})
    return model


def own_class(kind: str, root: Path) -> Any:  # Any: what a person's module holds under that name
    """Return a person's own class, named "package.module:Class".

    Modules are looked for in `root`, then on PYTHONPATH and among the installed ones; see `import_own`.
    """
    module, _, name = kind.partition(":")
    try:
        return getattr(import_own(module, root), name)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise UsageError(f"{kind!r} cannot be imported ({error}): {_remedy(module, root)}") from error


def _remedy(module: str, root: Path) -> str:
    """Say what to do about a class that a module does not give; never to hide an installed package."""
    first = module.partition(".")[0]
    if (file := file_of(module, root)) is not None:
        return f"mend {file}"
    if (there := file_elsewhere(module)) is not None:
        return f"{first!r} is {there}: name a class that it has, or give a module of yours another name"
    return f"put {first}.py into {root.resolve()}, or its folder on PYTHONPATH"


def _build(found: Any, kind: str, options: Options) -> Any:
    if not callable(found):
        raise UsageError(f"{kind!r} must name a class, got {found!r}")
    try:
        signature(found).bind(**options)
    except TypeError as error:
        given = ", ".join(options) or "none"
        raise UsageError(
            f"{kind!r} does not take these options ({error}): {kind.partition(':')[2]}{signature(found)} "
            f"was given {given}"
        ) from error
    return found(**options)


@contextmanager
def _contract(kind: str) -> Iterator[None]:
    """Turn a broken rule of a contract check into a message."""
    try:
        yield
    except AssertionError as error:
        raise UsageError(f"{kind!r} breaks its contract: {error}") from error


def _draws(picker: Picker) -> bool:
    """Return whether a picker draws at random: other generators, other picks."""
    pool = example_pool()
    picks = [picked(picker, pool, 6, seed).indices for seed in range(3)]
    return any(not np.array_equal(picks[0], other) for other in picks[1:])
