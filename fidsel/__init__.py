"""fidsel spends a label budget well when building machine-learning force fields."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "iterate", "load"]

if TYPE_CHECKING:
    from fidsel.campaign import iterate
    from fidsel.models import load


def __getattr__(name: str) -> Any:
    """Import the heavy entry points on first use, so that ``import fidsel`` stays light."""
    if name == "load":
        from fidsel.models import load

        return load
    if name == "iterate":
        from fidsel.campaign import iterate

        return iterate
    raise AttributeError(f"module 'fidsel' has no attribute {name!r}; it offers {', '.join(__all__)}")
