"""A circuit breaker: labels of one level that all fail alike stop a purchase before more is spent."""

import re

from fidsel.exceptions import FidselError

FIRST = 3
"""Labels that fail alike before a level has ever given one."""
IN_A_ROW = 10
"""Labels that fail alike in a row at any time."""


class RepeatedFailureError(FidselError):
    """Labels of a level fail one after the other for the same reason; no more of them are bought.

    Parameters
    ----------
    level : name of the level.
    cause, count : why, and how many in a row.
    example : the error text of the last one.
    again : whether their frames are tried once more without being asked to.
    """

    def __init__(self, level: str, cause: str, count: int, example: str, again: bool = True) -> None:
        then = (
            "give the same command again: these frames are tried once more then"
            if again
            else "give the same command again; `fidsel retry` first has these frames, which failed twice, "
            "tried again too"
        )
        super().__init__(
            f"the last {count} labels of {level} failed alike ({cause}), no more are bought: "
            f"{example.rstrip('. ')}. Mend the cause (`fidsel doctor` labels one frame with each level) and "
            f"{then}"
        )
        self.level, self.cause, self.count = level, cause, count


class Breaker:
    """Counts failures that are alike: of one cause, with texts that differ in numbers alone.

    Parameters
    ----------
    proven : whether the level has given a label before.
    """

    def __init__(self, proven: bool) -> None:
        self._proven = proven
        self._alike: list[int] = []
        self._like: tuple[str, str] | None = None
        self.like: tuple[str, str] = ("failed", "")
        """Cause and text of the last failure."""

    def succeeded(self) -> None:
        """Note a label."""
        self._proven, self._alike, self._like = True, [], None

    def failed(self, attempt: int, cause: str, text: str) -> None:
        """Note a failure of an attempt, by its id."""
        self.like = cause, text
        like = cause, re.sub(r"\d+", "0", text)
        if like != self._like:
            self._alike, self._like = [], like
        self._alike.append(attempt)

    @property
    def open(self) -> bool:
        """Whether so many failed alike that no more should be tried."""
        return len(self._alike) >= (IN_A_ROW if self._proven else FIRST)

    @property
    def alike(self) -> tuple[int, ...]:
        """Ids of the attempts that failed alike, the last ones in a row."""
        return tuple(self._alike)
