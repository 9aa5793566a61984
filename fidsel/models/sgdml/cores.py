"""Work in independent pieces, one core each: blocks that fit into a core's cache leave nothing to share."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

_cores: ContextVar[int] = ContextVar("cores", default=1)


@contextmanager
def one_core_each() -> Iterator[None]:
    """Within, each operation of torch runs on one core, and `spread` uses as many as torch had before.

    Torch's own threads meet after each operation. Between short ones that takes longer than the work, and
    far longer where another program holds one of the cores.
    """
    threads = torch.get_num_threads()
    token = _cores.set(max(threads, _cores.get()))  # within another of these, threads is 1
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _cores.reset(token)


def spread(work: Callable[[T], R], pieces: Sequence[T], device: torch.device) -> Iterator[R]:
    """Yield what some work makes of pieces, in their order; within `one_core_each` several at a time.

    On a CUDA device one piece follows the other.

    Parameters
    ----------
    work : writes nothing that another piece reads.
    pieces : of any size, the largest first.
    device : where the work's tensors are.
    """
    threads = min(_cores.get(), len(pieces))
    if threads < 2 or device.type == "cuda":
        yield from map(work, pieces)
        return
    with ThreadPoolExecutor(threads, "fidsel-kernel", torch.set_num_threads, (1,)) as pool:
        yield from pool.map(work, pieces)


def slices(length: int, step: int) -> list[slice]:
    """Return the parts of something of some length, each of a step at most."""
    return [slice(i, min(i + step, length)) for i in range(0, length, step)]
