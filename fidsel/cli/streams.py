"""The standard streams as they are given to the program: closed, full, read by nobody, or not UTF-8."""

import os
import select
import sys
from codecs import lookup, register_error
from contextlib import suppress
from io import TextIOWrapper
from typing import Final

ERRORS: Final = "fidsel"
"""Name of our way with characters that an encoding lacks."""

BROKEN_PIPE: Final = 141
"""Exit code where what reads the output went away, as shells have it (128 + SIGPIPE)."""


PLAIN: Final = str.maketrans(
    {
        "–": "-", "—": "-", "−": "-", "×": "x", "·": "*", "→": ">", "←": "<", "…": "...", "≤": "<=",
        "≥": ">=", "±": "+-", "≈": "~", "∞": "inf", "√": "sqrt", "‖": "|", "⁻": "^-", "¹": "^1", "³": "^3",
        "Å": "A", "Δ": "d", "Σ": "sum", "∇": "grad", "α": "alpha", "β": "beta", "δ": "delta", "ε": "epsilon",
        "θ": "theta", "λ": "lambda", "π": "pi", "τ": "tau", "φ": "phi", "χ": "chi", "ω": "omega", "½": "1/2",
        "µ": "u", "μ": "u", "σ": "sigma", "γ": "gamma", "ρ": "rho", "²": "^2", "°": " deg",
        "‘": "'", "’": "'", "“": '"', "”": '"',
    }
)  # fmt: skip
"""What is written for characters that the encoding of a stream lacks; others become escapes."""


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Return what to write in place of characters that cannot be encoded; see `codecs.register_error`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return text.encode("ascii", "backslashreplace").decode(), error.end


register_error(ERRORS, _plain)


def writable(text: str, stream: object) -> str:
    """Return a text as a stream will hold it, so that its width is known before it is written.

    >>> from io import BytesIO
    >>> writable("Δ 3 ≥ 2", TextIOWrapper(BytesIO(), encoding="ascii"))
    'd 3 >= 2'
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text if is_utf8(stream) else text.encode(encoding, ERRORS).decode(encoding)


def open_streams() -> None:
    """Make sure that stdin, stdout and stderr are open and that any text can be written to them.

    A stream that was closed (`fidsel … >&-`) leads nowhere instead: else the next file opened, such as the
    store, would take its place. What the encoding of a stream lacks is written in other characters.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and not (is_utf8(stream) and stream.errors == "surrogateescape"):
            stream.reconfigure(errors=ERRORS)


def is_utf8(stream: object) -> bool:
    """Return whether a text stream can hold every character."""
    try:
        return lookup(getattr(stream, "encoding", None) or "").name == "utf-8"
    except LookupError:
        return False


def flush_streams(code: int) -> tuple[int, str]:
    """Write out what waits in the streams; return the exit code and what went wrong, "" where nothing did.

    Where the reader of a pipe is gone (`fidsel … | head -1`) there is nothing to say.
    """
    told = ""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            _lead_nowhere(stream.fileno())
            gone = isinstance(error, BrokenPipeError)
            code = code or (BROKEN_PIPE if gone else 1)
            told = told or ("" if gone else f"the output could not be written: {error.strerror or error}")
    return code, told


def is_broken() -> bool:
    """Return whether the reader of stdout or stderr is gone."""
    poll = select.poll()
    for number in (1, 2):
        poll.register(number, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _lead_nowhere(number: int) -> None:
    """Let a stream lead nowhere, so that the interpreter does not stumble over it when it ends."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
