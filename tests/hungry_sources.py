"""Sources that use time, memory and programs; a module of their own so that workers can import it."""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from fidsel.fidelity.source import Label, Value

BURN = "import time\nwhile time.process_time() < {seconds}: pass"
HOLD = "import sys, time; held = bytearray({size}); time.sleep(1000)"


@dataclass(frozen=True)
class Hungry:
    """Does what `atoms.info["act"]` says, then labels with its process as energy.

    Parameters
    ----------
    warm : what it does first to warm up, and its argument; None = nothing.
    """

    warm: tuple[str, object] | None = None
    forces: bool = False

    def settings(self) -> Mapping[str, Value]:
        return {"kind": "hungry"}

    def warm_up(self, _: Atoms) -> None:
        if self.warm is not None:
            getattr(self, f"_{self.warm[0]}")(self.warm[1])

    def label(self, atoms: Atoms) -> Label:
        said = getattr(self, f"_{atoms.info['act']}")(atoms.info.get("argument"))
        return Label(float(os.getpid()), None, provenance={"said": said, "tmp": os.environ["TMPDIR"]})

    def _work(self, _: object) -> None: ...

    def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _burn(self, seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def _burn_child(self, seconds: float) -> None:
        subprocess.run([sys.executable, "-c", BURN.format(seconds=seconds)], check=True)

    def _burn_stray(self, argument: tuple[float, str]) -> None:
        """Have a program computed that leaves the process group and its parent, and wait for its word."""
        seconds, done = argument
        code = BURN.format(seconds=seconds) + f"\nopen({done!r}, 'w').close()\ntime.sleep(1000)"
        subprocess.run(["/bin/sh", "-c", 'setsid "$0" -c "$1" &', sys.executable, code], check=True)
        self._wait(done)

    def _stray(self, argument: tuple[str, str]) -> None:
        """Leave a program in a session of its own behind, write its number down, then end as told."""
        file, then = argument
        Path(f"{file}.go").touch()
        self._later(file)
        self._wait(file)
        getattr(self, f"_{then}")(1000)

    def _later(self, file: str) -> None:
        """Leave a program behind that takes a session of its own and writes its number down once told to."""
        wait = 'while [ ! -e "$0.go" ]; do sleep 0.02; done'
        leave = 'setsid sh -c \'echo $$ > "$0.part" && mv "$0.part" "$0" && exec sleep 1000\' "$0"'
        subprocess.run(["/bin/sh", "-c", f"({wait}; {leave}) &", file], check=True)

    def _server(self, _: object) -> str:
        """Start a program once, and say whether it is there."""
        if not SERVERS:
            SERVERS.append(subprocess.Popen(["sleep", "1000"]))
        return f"{SERVERS[0].pid} {SERVERS[0].poll()}"

    def _segfault(self, _: object) -> None:
        ctypes.string_at(0)

    def _raise(self, text: str) -> None:
        raise RuntimeError(text)

    def _import(self, name: str) -> None:
        __import__(name)

    def _tell(self, argument: tuple[str, str]) -> None:
        text, then = argument
        print(text)
        getattr(self, f"_{then}")("told")

    def _flood(self, size: int) -> None:
        """Print without end, until somebody cuts the log."""
        subprocess.run(["/bin/sh", "-c", f"yes flood | head -c {size}"], check=True)
        while os.fstat(1).st_size > size // 2:
            time.sleep(0.05)

    def _hold(self, size: int) -> None:
        held = np.ones(size, np.int8)
        time.sleep(1000)
        del held

    def _hold_child(self, size: int) -> None:
        subprocess.run([sys.executable, "-c", HOLD.format(size=size)], check=True)

    def _read(self, _: object) -> str:
        return subprocess.run(["cat"], capture_output=True, text=True, check=True).stdout

    def _fork(self, _: object) -> None:
        os.fork()

    def _close(self, _: object) -> None:
        os.closerange(3, 256)

    def _release(self, file: str) -> None:
        """Let the program of `_later` go, and wait until it has gone."""
        Path(f"{file}.go").touch()
        self._wait(file)

    def _daemon(self, file: str) -> None:
        self._later(file)
        self._wait(file)

    def _wait(self, file: str) -> None:
        while not Path(file).exists():
            time.sleep(0.01)

    def _leave(self, _: object) -> None:
        (Path(os.environ["TMPDIR"]) / "left").write_text("behind")


SERVERS: list[subprocess.Popen[bytes]] = []
