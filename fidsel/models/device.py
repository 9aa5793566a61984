"""The device a model computes on, and which of torch's settings of its caller it goes by: none."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import torch

from fidsel.exceptions import UsageError, unknown

DEVICES = ("auto", "cpu", "cuda")


def resolve(device: torch.device | str) -> str:
    """Return the device that a person asks for, as tensors on it name it.

    Raises a `UsageError` for another name, and for a CUDA device that is not there.

    Parameters
    ----------
    device : "cpu"; "cuda", the current CUDA device; "cuda:N"; or "auto", CUDA where there is any, else CPU.

    Examples
    --------
    >>> resolve("cpu:0")
    'cpu'
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        device = "cuda" if count else "cpu"
    try:
        asked = torch.device(device)
    except RuntimeError as error:
        raise unknown("device", str(device), DEVICES) from error
    if asked.type not in DEVICES:
        raise unknown("device", str(device), DEVICES)
    if asked.type == "cpu":
        return "cpu"
    index = asked.index
    if index is None and count:
        index = torch.cuda.current_device()
    if index is None or index >= count:
        raise UsageError(
            f"device {str(device)!r} must be on this machine, of whose CUDA devices PyTorch finds {count}: "
            "take 'auto' or 'cpu', or install a driver and a CUDA build of PyTorch"
        )
    return f"cuda:{index}"


@contextmanager
def gradients() -> Iterator[None]:
    """Let torch take gradients inside, whatever the caller has turned off.

    Under `torch.no_grad` there are no forces. What is made under `torch.inference_mode` could not be trained
    later either.

    Examples
    --------
    >>> with torch.inference_mode(), gradients():
    ...     torch.ones(1).requires_grad_().sum().requires_grad
    True
    """
    with torch.inference_mode(mode=False), torch.enable_grad():
        yield


BUILDING = RLock()
"""Held while torch's default type is another one: it is the whole process's, and threads would mix it up."""


@contextmanager
def building() -> Iterator[None]:
    """Build what is in single precision, on the CPU and with gradients, whatever the caller has set.

    Examples
    --------
    >>> with torch.device("meta"), building():
    ...     torch.ones(1)
    tensor([1.])
    """
    with BUILDING, torch.device("cpu"), gradients():
        usual = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(usual)
