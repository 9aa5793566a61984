"""Contract checks anyone can run on their own source, model or picker."""

from fidsel.testing.model import check_fittable, check_force_field

__all__ = ["check_fittable", "check_force_field"]
