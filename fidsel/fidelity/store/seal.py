"""The seal beside a label store: how many labels it held last, so that a store that lost some is noticed."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fidsel.data.atomic import write_bytes
from fidsel.fidelity.store.database import StoreError

DIGITS = 15
"""Width of the count, so that a file is rewritten in place by one small write."""


@dataclass(frozen=True)
class Seal:
    """What the file `labels.db.seal` says of the store beside it.

    While a campaign is driven, and after its driver was killed, labels can live in `labels.db-wal` alone.
    A folder copied without that file would go on as if they had never been bought. The seal is written
    after labels are safe on the disk and labels are never removed, so a healthy store holds as many as its
    seal says, or more where the driver was killed between the two.

    Parameters
    ----------
    store : identity of the store, drawn when it was made.
    labels : it held at least.
    """

    store: str
    labels: int

    @staticmethod
    def beside(store: Path) -> Path:
        """Return the path of the seal of a store."""
        return store.with_name(f"{store.name}.seal")

    @classmethod
    def read(cls, store: Path) -> Self | None:
        """Return the seal of a store; None where there is none.

        Raises
        ------
        StoreError
            where the file is not a seal or cannot be read.
        """
        path = cls.beside(store)
        try:
            entries = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                store, f"{path} cannot be read: {error.strerror}; check its permissions"
            ) from error
        except ValueError as error:
            raise _damaged(store, path) from error
        if not isinstance(entries, Mapping) or set(entries) != {"store", "labels"}:
            raise _damaged(store, path)
        name, labels = entries["store"], entries["labels"]
        if not isinstance(name, str) or type(labels) is not int or labels < 0:
            raise _damaged(store, path)
        return cls(name, labels)

    def write(self, store: Path) -> None:
        """Write the seal of a store: in place where there is one, else all or nothing.

        Raises
        ------
        FidselError
            where the system refuses.
        """
        path = self.beside(store)
        data = f'{{"store": {json.dumps(self.store)}, "labels": {self.labels:{DIGITS}d}}}\n'.encode()
        with suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:
            if len(file.read()) == len(data):
                file.seek(0)
                file.write(data)
                return
        write_bytes(path, data)

    def check(self, store: Path, identity: str, labels: int) -> None:
        """Raise `StoreError` where a store is not the one that was sealed, or has lost labels.

        Parameters
        ----------
        identity, labels : of the store; an empty store has "" and 0.
        """
        if self.labels == 0:
            return
        path = self.beside(store)
        if identity and identity != self.store:
            raise StoreError(
                store,
                f"it is another store than the one whose {self.labels} labels {path.name} vouches for: put "
                f"that one back; or delete {path.name} to go on with this one",
            )
        if labels < self.labels:
            raise StoreError(
                store,
                f"it holds {labels} labels, but {path.name} says that there were {self.labels}: it was "
                f"copied without {store.name}-wal, is an older copy, or was cut off. Put the missing file or "
                "the newer copy here (`fidsel backup` copies a campaign whole). To go on with what there is "
                f"and buy the other labels again, delete {path.name}",
            )


def _damaged(store: Path, path: Path) -> StoreError:
    return StoreError(store, f"{path} is damaged; delete it where {store.name} is the campaign's own store")
