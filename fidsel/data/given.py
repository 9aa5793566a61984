"""What callers may give in place of frames, and what they are told."""

from ase import Atoms

from fidsel.data.frames import Frames
from fidsel.exceptions import UsageError


def require_frames(given: object, what: str = "frames") -> None:
    """Raise a `UsageError`, saying how to make some, unless something is frames.

    >>> require_frames([Atoms("H2")])
    Traceback (most recent call last):
    fidsel.exceptions.UsageError: frames must be fidsel.data.Frames, got a list of ASE Atoms: ...
    """
    if isinstance(given, Frames):
        return
    listed = isinstance(given, (list, tuple))
    first = given[0] if isinstance(given, (list, tuple)) and given else given
    images = isinstance(first, Atoms)
    kind = "ASE Atoms" if images else f"{type(first).__name__} {str(first)[:40]!r}"
    came = f"a {type(given).__name__} of {kind}" if listed and given else kind
    how = (
        f"Frames.from_atoms({'images' if listed else 'atoms'}) has their configurations; labels are read "
        "from files: ase.io.write('labels.extxyz', images), then fidsel.read('labels.extxyz')"
        if images
        else "fidsel.read(FILE) gives those of a file, Frames.stack(numbers, positions, energy=..., "
        "forces=...) those of arrays"
    )
    raise UsageError(f"{what} must be fidsel.data.Frames, got {came}: {how}")
