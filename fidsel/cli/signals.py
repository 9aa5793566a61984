"""Signals that ask the program to end: it stores, closes and tidies up as after Ctrl-C."""

import signal
from threading import current_thread, main_thread
from types import FrameType
from typing import Final

STOPPED: Final = 128
"""Exit code after a signal is this and its number, as shells have it: 130 after Ctrl-C."""


class Terminated(KeyboardInterrupt):
    """The program was asked to end by another signal than Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def stop_on_signals() -> None:
    """Have SIGTERM (a scheduler, `docker stop`, a service manager) and SIGHUP end the program like Ctrl-C.

    The first one counts: what ends the program must itself come to its end. Signals that whoever started the
    program has chosen to ignore, as `nohup` does, stay ignored.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        for known in signals:
            signal.signal(known, signal.SIG_IGN)
        raise Terminated(number)

    if current_thread() is not main_thread():
        return  # Python lets no other thread receive signals
    named = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
    signals = [known for known in named if known is not None and signal.getsignal(known) == signal.SIG_DFL]
    for known in signals:
        signal.signal(known, stop)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """Return the exit code after Ctrl-C or another signal.

    >>> exit_code(KeyboardInterrupt()), exit_code(Terminated(15))
    (130, 143)
    """
    return STOPPED + (interrupt.number if isinstance(interrupt, Terminated) else int(signal.SIGINT))
