"""`[recipe]`: how the mixture of labels is trained on, by the fields of a recipe."""

from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationError

from fidsel.config.custom import own_recipe
from fidsel.config.explain import explain
from fidsel.config.models import MODEL_SECTIONS, ModelPart
from fidsel.config.sections import ClassSection, Kinds, changes, section
from fidsel.config.strict import OwnClass
from fidsel.exceptions import UsageError
from fidsel.training import RECIPES, ModelFactory, Recipe, Stage, usual_recipe

StageSection: Any = changes(Stage)
"""What differs from a recipe's own stage."""


class RecipeSection(ClassSection):
    """How the mixture of labels is trained on."""

    made: ClassVar[type[Recipe]]
    checked = True

    @property
    def recipe(self) -> type[Recipe] | None:
        """Class of the recipe; None = the user's own, which is not looked at before it is built."""
        return type(self).made

    def build(self, root: Path) -> Recipe:
        """Return the recipe; paths in its settings start at `root`."""
        return type(self).made(**self.arguments(root))


class OwnRecipeSection(RecipeSection):
    """A user's own recipe, `kind = "package.module:Class"`; check its contract with `fidsel.testing`."""

    checked = False

    kind: OwnClass
    """A Recipe: a class in a module of the campaign's folder or of PYTHONPATH."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its fields; a stage takes what differs from the recipe's own, as in recipes of fidsel's."""

    @property
    def recipe(self) -> None:
        """Not known before it is built."""
        return

    def build(self, root: Path) -> Recipe:
        """Return the recipe; its module is looked for in `root` too."""
        own = section(self.kind, own_recipe(self.kind, root), RecipeSection, {ModelFactory: ModelPart})
        try:
            made: RecipeSection = own.model_validate(self.options)
        except ValidationError as error:
            raise UsageError(f"recipe {self.kind!r}: {explain(error, self.options)}") from error
        return made.build(root)


def with_recipe(values: dict[str, Any], cheap: int) -> dict[str, Any]:  # Any: what TOML holds
    """Return settings with the usual recipe where none is named, see `usual_recipe`."""
    recipe, model = values.get("recipe", {}), values.get("model", {})
    if not (isinstance(recipe, dict) and isinstance(model, dict)) or "kind" in recipe:
        return values
    known = MODEL_SECTIONS.get(str(model.get("kind", "sgdml")))
    kind = usual_recipe(known.made if known else None, cheap)
    return values | {"recipe": {"kind": kind, **recipe}}


RECIPE_SECTIONS: dict[str, type[RecipeSection]] = {
    kind: section(kind, recipe, RecipeSection, {ModelFactory: ModelPart}) for kind, recipe in RECIPES.items()
} | {"custom": OwnRecipeSection}
RecipeSettings = Annotated[RecipeSection, Kinds(RECIPE_SECTIONS)]
"""A `[recipe]` section."""
