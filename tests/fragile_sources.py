"""Sources that misbehave; a module of their own so that worker processes can import it."""

import ctypes
import gc
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from ase import Atoms

from fidsel.fidelity.source import Label, LabelError, Value


class TwoArgumentError(LabelError):
    """Cannot be rebuilt from what its base pickles."""

    def __init__(self, message: str, extra: str) -> None:
        super().__init__(f"{message} {extra}", seconds=3.0)


@dataclass(frozen=True)
class Fragile:
    """Does what `atoms.info["act"]` says, then labels with the number of atoms as energy."""

    forces: bool = True

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "fragile"}

    def label(self, atoms: Atoms) -> Label:
        act, argument = atoms.info.get("act", "work"), atoms.info.get("argument")
        getattr(self, f"_{act}")(argument)
        provenance: dict[str, Value] = {"pid": os.getpid(), "torch": "torch" in sys.modules}
        if act == "meet":
            provenance["gpu"] = os.environ.get("CUDA_VISIBLE_DEVICES")
        if act == "threads":
            provenance |= blas_threads()
        if act == "unpicklable":
            provenance["what"] = lambda: 0  # type: ignore[assignment]
        return Label(float(len(atoms)), np.zeros((len(atoms), 3)), 0.1, provenance)

    def _work(self, _: object) -> None: ...

    _threads = _unpicklable = _work

    def _print(self, text: str) -> None:
        print(text, flush=True)
        subprocess.run(["/bin/echo", text], check=True)

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _meet(self, where: tuple[Path, int]) -> None:
        """Wait until so many labels are at work."""
        folder, count = where
        (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) < count:
            time.sleep(0.01)

    def _raise(self, _: object) -> None:
        raise ZeroDivisionError("one over nothing")

    def _refuse(self, _: object) -> None:
        raise LabelError("not converged", seconds=7.5, cause="unconverged")

    def _odd_error(self, _: object) -> None:
        raise TwoArgumentError("did", "not converge")

    def _segfault(self, _: object) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def _exit(self, code: int) -> None:
        os._exit(code)

    def _cut(self, _: object) -> None:
        """Answer by the beginning of a message, and die."""
        os.write(driver().fileno(), struct.pack("!i", 1000) + b"cut")
        os._exit(0)

    def _nonsense(self, _: object) -> None:
        driver().send_bytes(b"nonsense")

    def _hang(self, pids: str | None) -> None:
        """Sleep in C with the interpreter lock held, beside a program of its own."""
        if pids is not None:
            program = subprocess.Popen(["sleep", "1000"])
            Path(f"{pids}.{os.getpid()}").write_text(f"{os.getpid()} {program.pid}")
        ctypes.PyDLL(None).sleep(1000)


def driver() -> Connection:
    """Return this worker's own pipe, as only a hostile source would."""
    (found,) = (found for found in gc.get_objects() if isinstance(found, Connection) and found.writable)
    return found


def blas_threads() -> dict[str, Value]:
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] in {"blas", "openmp"}]
    return {"pools": len(pools), "most": max(pool["num_threads"] for pool in pools)}
