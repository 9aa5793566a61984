"""How errors become one paragraph, an exit code and, where nobody foresaw them, a log file."""

import os
import platform
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from sysconfig import get_paths
from typing import Final

from fidsel.cli.signals import exit_code
from fidsel.exceptions import FidselError

SMALLER: Final = "take fewer frames or labels, a smaller batch or model, or a machine with more memory"


def told(error: BaseException) -> tuple[str, int]:
    """Return what to tell a person of an error, and the exit code.

    What nobody foresaw is written to a log file, which the text names.
    """
    if isinstance(error, FidselError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        text = (
            "stopped; what was finished is stored: the same command goes on from there, or begins anew where "
            "nothing was"
        )
        return text, exit_code(error)
    if isinstance(error, MemoryError) or _is_out_of_memory(error):
        why = " ".join(str(error).split()) or "no more could be had"
        return f"the memory does not suffice ({why}): {SMALLER}; what a campaign finished is stored", 1
    if _is_out_of_device_memory(error):
        return (
            f"{str(error).partition(' GPU ')[0]} Free memory of that device, take a smaller "
            'batch or model, or device = "cpu" in [model] (selection: an empty CUDA_VISIBLE_DEVICES); '
            "what a campaign finished is stored"
        ), 1
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.filename or 'the system refuses'}: {error.strerror or error}", 1
    return _unforeseen(error), 1


def _is_out_of_memory(error: BaseException) -> bool:
    """Return whether PyTorch found no memory on the CPU, for which it has no class of error."""
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def _is_out_of_device_memory(error: BaseException) -> bool:
    """Return whether a CUDA device has no memory left, which only PyTorch says, where it is in use."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.cuda.OutOfMemoryError)


def _unforeseen(error: BaseException) -> str:
    what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
    log = _write_log(error)
    where = f"the details are in {log}" if log else "the details could be written nowhere"
    if (own := _own_code(error)) is not None:
        return (
            f"{own.filename}, line {own.lineno}, in {own.name}: {what}. This is code of your own that fidsel "
            f"called; mend it and give the same command again; {where}; what a campaign finished is stored"
        )
    return (
        f"something went wrong that should not ({what}); {where}. Please report it, with that file, "
        f"{_place()}; what a campaign finished is stored"
    )


def _own_code(error: BaseException) -> traceback.FrameSummary | None:
    """Return where in a person's own files an error arose; None where it went through none."""
    installed = {Path(path).resolve() for path in (*get_paths().values(), sys.prefix, sys.base_prefix)}
    installed.add(Path(__file__).resolve().parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_file() and not installed.intersection(path.resolve().parents):
            return frame
    return None


def _write_log(error: BaseException) -> Path | None:
    """Write the traceback into this folder or the one for temporary files; None where it cannot."""
    now = datetime.now().astimezone()
    text = "\n".join(
        (
            f"{now:%Y-%m-%d %H:%M:%S%z}",
            f"fidsel {_version()}, Python {platform.python_version()}, {platform.platform()}",
            f"command: {' '.join(_without_passwords(word) for word in sys.argv[1:])}",
            "".join(traceback.format_exception(error)),
        )
    )
    for folder in (Path(), Path(tempfile.gettempdir())):
        path = (folder / f"fidsel-error-{now:%Y%m%d-%H%M%S}-{os.getpid()}.log").absolute()
        with suppress(OSError):
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            return path
    return None


def _place() -> str:
    """Return where to report: the address in the package's metadata, or whom to ask where it names none."""
    with suppress(PackageNotFoundError):
        for line in metadata("fidsel").get_all("Project-URL") or ():
            name, _, address = str(line).partition(",")
            if name.strip().lower() in {"issues", "bug tracker", "repository"}:
                return f"at {address.strip()}"
    return "to those who gave you this copy of fidsel, which names no address"


def _version() -> str:
    with suppress(PackageNotFoundError):
        return version("fidsel")
    return "not installed"


def _without_passwords(word: str) -> str:
    """Return a word of the command line without the user name and password of a URI in it."""
    start, mark, rest = word.partition("://")
    return f"{start}{mark}…@{rest.rpartition('@')[2]}" if mark and "@" in rest else word
