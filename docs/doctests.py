"""An extension of Griffe: doctests in the text of a docstring are shown as code, as under Examples."""

import re

from griffe import Extension, Object

DOCTEST = re.compile(r"^>>> .*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


class Doctests(Extension):
    """Puts a fence about each doctest that stands in running text."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Change the docstring of an object that was read."""
        text = obj.docstring
        if text is not None and "Examples\n---" not in text.value:
            text.value = DOCTEST.sub(lambda found: f"```pycon\n{found[0]}\n```", text.value)
