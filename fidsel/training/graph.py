"""Work that a CUDA device does again and again, recorded once."""

from collections.abc import Callable, Iterable

import torch

FIRST = 3
"""Calls before the recording, in which libraries set themselves up."""


class Recorded:
    """A function that is recorded as one graph after its first calls and replayed from then on.

    A replay repeats the same operations on the same memory, without a word from Python: what a call
    reads and writes has to lie in tensors that stay, and nothing in it may ask the device for a value.

    Parameters
    ----------
    function : what is done; works on `device` alone.
    device : a CUDA device.
    generators : random generators that the function draws from.
    """

    def __init__(
        self, function: Callable[[], None], device: torch.device, generators: Iterable[torch.Generator] = ()
    ) -> None:
        self._function, self._device, self._generators = function, device, tuple(generators)
        self._calls = 0
        self._graph = torch.cuda.CUDAGraph()

    def __call__(self) -> None:
        """Do it once."""
        with torch.cuda.device(self._device):
            if self._calls < FIRST:
                self._aside()
            else:
                if self._calls == FIRST:
                    self._record()
                self._graph.replay()
        self._calls += 1

    def _aside(self) -> None:
        """Call the function on a stream of its own, as the recording will."""
        side, here = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
        side.wait_stream(here)
        with torch.cuda.stream(side):
            self._function()
        here.wait_stream(side)

    def _record(self) -> None:
        """Record a call, which takes place only when it is replayed."""
        for generator in self._generators:
            self._graph.register_generator_state(generator)
        with torch.cuda.graph(self._graph):
            self._function()
