"""Which folder a user's own module is imported from, whatever else has its name: here and in workers."""

import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final

PINS: Final[dict[str, str]] = {}
"""Folder of each pinned module, by its top-level name; worker processes get a copy."""


class _Pinned:
    """Finds pinned modules in their folder, before `sys.path` is searched."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a pinned module is; None for others, and for parts of packages."""
        if path is not None or name not in PINS:
            return None
        found = PathFinder.find_spec(name, [PINS[name]])
        if found is None:  # what else has its name would be another module
            raise ModuleNotFoundError(f"the module {name!r} is no longer in {PINS[name]}", name=name)
        return found


def pin(modules: Mapping[str, str]) -> None:
    """Have modules imported from their folders, from now on.

    Parameters
    ----------
    modules : folder of each, by its top-level name.
    """
    PINS.update(modules)
    if _Pinned not in sys.meta_path:
        sys.meta_path.insert(0, _Pinned)


def unpin(name: str) -> None:
    """Forget a module that could not be imported."""
    del PINS[name]
