"""`StopFile`: asks the driver of a campaign to end, from any machine that sees the folder."""

import signal
from pathlib import Path
from threading import main_thread
from time import monotonic, sleep

from fidsel.fidelity.store.database import StoreError


class StopFile:
    """A file beside the store that the driver looks for with every heartbeat.

    Parameters
    ----------
    store_path : the label store; the file is `<store_path>.stop`.
    """

    def __init__(self, store_path: Path | str) -> None:
        self.path = Path(f"{store_path}.stop")

    def ask(self) -> None:
        """Ask the driver to end.

        Raises
        ------
        StoreError
            where the file cannot be made.
        """
        try:
            self.path.touch()
        except OSError as error:
            raise StoreError(self.path.with_suffix(""), f"{self.path}: {error.strerror}") from error

    def remove(self) -> None:
        """Ask for nothing any more."""
        self.path.unlink(missing_ok=True)

    def obey(self) -> None:
        """Interrupt this program, as a scheduler or Ctrl-C does, where it is asked to end."""
        if self.path.exists():
            self.remove()
            handled = (n for n in (signal.SIGTERM, signal.SIGINT) if callable(signal.getsignal(n)))
            signal.pthread_kill(main_thread().ident or 0, next(handled, signal.SIGTERM))

    def wait(self, lock: Path, patience: float) -> bool:
        """Return whether the driver has let go of its lock within so many s."""
        end = monotonic() + patience
        while lock.exists() and monotonic() < end:
            sleep(0.1)
        return not lock.exists()
