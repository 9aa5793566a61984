"""URIs of SQLite files whose folders may have any name."""

from pathlib import Path
from typing import Final
from urllib.parse import quote

SPECIAL: Final = frozenset("%?#")
"""Characters that have a meaning in a URI."""


def sqlite_uri(path: Path) -> str:
    """Return the tracking URI of a SQLite file.

    In a path with special characters they are escaped. Whether SQLAlchemy, or SQLite itself, takes the
    escapes back depends on SQLAlchemy's version. The name of the driver keeps MLflow from taking the
    escaped path for a folder to make.

    Examples
    --------
    >>> sqlite_uri(Path("/home/ada/mlflow.db"))
    'sqlite:////home/ada/mlflow.db'
    """
    if not SPECIAL.intersection(str(path)):
        return f"sqlite:///{path}"
    from sqlalchemy.engine import make_url

    escaped = quote(str(path))
    uri = f"sqlite+pysqlite:///{escaped}"
    return uri if make_url(uri).database == str(path) else f"sqlite+pysqlite:///file:{escaped}?uri=true"
