"""`[engine]`: where labels are computed, by the fields of a class that makes engines."""

from typing import Annotated, ClassVar

from fidsel.config.sections import ClassSection, Kinds, section
from fidsel.fidelity.engine.cluster.parsl import Site
from fidsel.fidelity.engine.local import Workers


class EngineSection(ClassSection):
    """Where labels are computed."""

    made: ClassVar[type[Workers | Site]]
    checked = True


ENGINES: dict[str, type[EngineSection]] = {
    "local": section("local", Workers, EngineSection),
    "parsl": section("parsl", Site, EngineSection),
}
Engine = Annotated[EngineSection, Kinds(ENGINES, "local")]
"""An `[engine]` section."""
