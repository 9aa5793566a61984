"""Work that a CUDA device does again and again, recorded once."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch

FIRST = 3
"""Calls before the recording, in which libraries set themselves up."""


class Recorded:
    """Work that is recorded as one graph after its first calls and replayed from then on.

    A replay repeats the same operations on the same memory, without a word from Python: what a call
    reads and writes has to lie in tensors that stay, and nothing in it may ask the device for a value.
    """

    def __init__(self, device: torch.device, generators: Iterable[torch.Generator] = ()) -> None:
        self._device, self._generators = device, tuple(generators)
        self._calls = 0
        self._graph = torch.cuda.CUDAGraph()
        # The stream that torch.cuda.graph would take by itself is on the device of a process's first graph.
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, function: Callable[[], None]) -> None:
        """Do it once.

        Parameters
        ----------
        function : what is done, the same each time; works on the device alone. It is not kept: its owner
            may hold this object and still go away, graph and all, with the last reference to it.
        """
        with torch.cuda.device(self._device):
            if self._calls < FIRST:
                self._aside(function)
            else:
                if self._calls == FIRST:
                    self._record(function)
                self._graph.replay()
        self._calls += 1

    def _aside(self, function: Callable[[], None]) -> None:
        """Call a function on the stream that the recording will take."""
        here = torch.cuda.current_stream()
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            function()
        here.wait_stream(self._stream)

    def _record(self, function: Callable[[], None]) -> None:
        """Record a call, which takes place only when it is replayed."""
        for generator in self._generators:
            self._graph.register_generator_state(generator)
        with _without_collection(), torch.cuda.graph(self._graph, stream=self._stream):
            function()


@contextmanager
def _without_collection() -> Iterator[None]:
    """Collect garbage now and none until the end: another graph, destroyed meanwhile, spoils a recording."""
    automatic = gc.isenabled()
    gc.disable()
    gc.collect()
    try:
        yield
    finally:
        if automatic:
            gc.enable()
