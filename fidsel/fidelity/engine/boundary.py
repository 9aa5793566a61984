"""Where a source is called: whatever it returns or raises becomes a label or a `LabelError`."""

import errno
from collections.abc import Mapping
from itertools import islice
from pathlib import Path, PurePath
from subprocess import TimeoutExpired
from typing import Final

import numpy as np
from ase import Atoms

from fidsel.arrays import FloatArray
from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.label_values import forces_of, plain_text
from fidsel.fidelity.source import Cause, Label, LabelError, LabelSource, Value, WarmUp

ENTRIES: Final = 100
"""Entries of a provenance that are kept."""
CHARACTERS: Final = 20_000
"""Characters of a provenance that are kept, in all."""
DEPTH: Final = 3
"""Levels of nested containers in a provenance that are written out."""
BREADTH: Final = 20
"""Entries of a nested container that are written out."""
CAUSES: Final[tuple[Cause, ...]] = (
    "environment", "crashed", "memory", "timeout", "unconverged", "refused", "invalid", "failed",
)  # fmt: skip
"""Causes that a source can know; that a label was cancelled or lost only an engine or a ledger can."""


def label_or_error(source: LabelSource, atoms: Atoms) -> Label | LabelError:
    """Return the label of a configuration, or why there is none.

    The label's numbers are plain (energy a float, forces float64 (N, 3) in C order, none where the source
    declares none), its provenance is bounded and JSON-able, and no time is claimed. Of all that a source
    may raise only KeyboardInterrupt goes through: in the driver's process it is a person's.
    """
    count = len(atoms)
    try:
        found = source.label(atoms)
        declared = bool(source.forces)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # isolation boundary: a source may raise anything
        return error_of(error)
    try:
        return _label(found, count, declared)
    except KeyboardInterrupt:
        raise
    except LabelError as error:
        return error_of(error)
    except BaseException as error:  # what was returned may raise anything when it is looked at
        cause: Cause = "memory" if isinstance(error, MemoryError) else "invalid"
        return LabelError(f"what label() returned cannot be read ({_named(error)})", cause=cause)


def warm_up(source: LabelSource, atoms: Atoms) -> None:
    """Have a source warm up that can (see `WarmUp`); raises whatever it raises."""
    if isinstance(source, WarmUp):
        source.warm_up(atoms.copy())


def error_of(error: BaseException) -> LabelError:
    """Return what a source raised as a `LabelError` that can be sent, stored and shown.

    The cause is the source's own where it raised a `LabelError`, else it goes by the type of error.
    """
    try:
        return _error_of(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # an error of a type that raises when it is looked at
        return LabelError("the source raised an error that cannot be read")


def _error_of(error: BaseException) -> LabelError:
    if isinstance(error, LabelError):
        own: Cause = next((known for known in CAUSES if known == getattr(error, "cause", "")), "failed")
        return LabelError(_told(error) or "the source gave no reason", cause=own)
    cause = cause_of(error)
    if isinstance(error, FidselError):
        return LabelError(_told(error) or _named(error), cause=cause)
    return LabelError(f"{_named(error)}{_place(error) if cause == 'failed' else ''}", cause=cause)


def cause_of(error: BaseException) -> Cause:
    """Return the cause that an error of a source stands for.

    >>> cause_of(FileNotFoundError("orca")), cause_of(UsageError("no such element")), cause_of(KeyError("x"))
    ('environment', 'refused', 'failed')
    """
    code = error.errno if isinstance(error, OSError) else None
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, MemoryError) or code == errno.ENOMEM or "OutOfMemoryError" in names:
        return "memory"
    if isinstance(error, (TimeoutError, TimeoutExpired)):
        return "timeout"
    if isinstance(error, (ImportError, OSError)):
        return "environment"
    if isinstance(error, (UsageError, NotImplementedError)):
        return "refused"
    return "failed"


def _label(found: object, count: int, declared: bool) -> Label:
    if not isinstance(found, Label):
        what = "none" if found is None else plain_text(type(found).__name__)
        raise _invalid(f"label() must return a Label(energy, forces), got {what}")
    forces = found.forces if declared else None
    if declared:
        _check_length(forces, count)
        forces = forces_of(forces)
        if forces.shape != (count, 3):
            hint = ": are they transposed?" if forces.shape == (3, count) else ""
            raise _invalid(f"forces must be of shape ({count}, 3), got {forces.shape}{hint}")
    try:
        provenance = provenance_of(found.provenance)
    except Exception as error:  # a label is not lost for what is said about it
        provenance = {"provenance": f"cannot be read ({_named(error)})"}
    return Label(found.energy, forces, 0.0, provenance)


def _check_length(forces: FloatArray | None, count: int) -> None:
    """Raise where forces are missing, or so many that they need no reading."""
    if forces is None:
        raise _invalid(
            f"the level declares forces of shape ({count}, 3), the source returned none: say forces = false"
        )
    if hasattr(forces, "__len__") and len(forces) != count and len(forces) > max(3, 3 * count):
        raise _invalid(f"forces must be of shape ({count}, 3), got {len(forces)} rows")


def _invalid(text: str) -> LabelError:
    return LabelError(text, cause="invalid")


def provenance_of(found: object) -> dict[str, Value]:
    """Return a provenance of plain, JSON-able values, bounded in number and length.

    Nested values become texts; what is left out is counted under `left_out`.

    >>> provenance_of({"program": "x", "cycles": [3, 4], "what": object()})
    {'program': 'x', 'cycles': '[3, 4]', 'what': '<object>'}
    """
    if not isinstance(found, Mapping):
        return {} if found is None else {"provenance": _written(found, DEPTH)}
    out: dict[str, Value] = {}
    size = left = 0
    for key, value in islice(found.items(), 10 * ENTRIES):
        if len(out) >= ENTRIES or size > CHARACTERS:
            left += 1
            continue
        entry = _plain(value)
        name = plain_text(key)[:100] if isinstance(key, str) else _written(key, 0)
        size += len(name) + len(str(entry))
        out[name] = entry
    return out | {"left_out": left} if left else out


def _plain(value: object) -> Value:
    item = getattr(value, "item", None)
    if type(value).__module__ == "numpy" and getattr(value, "size", 0) == 1 and callable(item):
        value = item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() < 64 else f"<integer of {value.bit_length()} bits>"
    if isinstance(value, float):
        return float(value) if abs(value) < float("inf") else str(float(value))
    return _written(value, DEPTH)


def _written(value: object, depth: int) -> str:
    """Return a value as a text, containers to a depth and a length; no foreign type's `repr` is called."""
    if isinstance(value, (str, PurePath)):
        return plain_text(str(value))
    if value is None or isinstance(value, (bool, int, float)):
        return str(_plain(value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU" and value.size <= BREADTH:
        value = value.tolist()
    if depth and isinstance(value, Mapping):
        pairs = islice(value.items(), BREADTH)
        inside = ", ".join(f"{_written(k, depth - 1)}: {_written(v, depth - 1)}" for k, v in pairs)
        return plain_text(f"{{{inside}}}")
    if depth and isinstance(value, (list, tuple)):
        return plain_text(f"[{', '.join(_written(v, depth - 1) for v in value[:BREADTH])}]")
    return f"<{plain_text(type(value).__name__)}>"


def _named(error: BaseException) -> str:
    name, text = plain_text(type(error).__name__), _told(error)
    return f"{name}: {text}" if text else name


def _told(error: BaseException) -> str:
    try:
        return plain_text(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException:  # a text that cannot be had is no reason to lose the error
        return "(its text cannot be read)"


def _place(error: BaseException) -> str:
    """Return the file and line that raised, as a person finds it in a source of their own."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    name = plain_text(Path(trace.tb_frame.f_code.co_filename).name)
    return f" ({name}, line {trace.tb_lineno})"
