"""An extension of Griffe: docstrings as fidsel has them, put into what Markdown and numpydoc know."""

import re

from griffe import Extension, Module, Object

DOCTEST = re.compile(r"^>>> .*?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
PARAMETERS = re.compile(r"(?<=Parameters\n----------\n).*?(?=\n\n\w[^\n]*\n---|\Z)", re.DOTALL)
TABLE = re.compile(r"^(=+(?: +=+)+)\n(?:([^\n]*)\n\1\n)?(.*?)\n\1$", re.MULTILINE | re.DOTALL)


class Docstrings(Extension):
    """Shows doctests in running text as code, tables as tables, and `name : what it is` without a type."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Change the docstring of an object that was read."""
        if obj.docstring is not None:
            obj.docstring.value = shown(obj.docstring.value)

    def on_package(self, *, pkg: Module, **_: object) -> None:
        """Change the docstring of a whole package, which is no object to Griffe."""
        self.on_object(obj=pkg)


def shown(text: str) -> str:
    """Return a docstring as it is to be read."""
    text = PARAMETERS.sub(lambda found: re.sub(r"^(\S.*?) : ", r"\1\n    ", found[0], flags=re.M), text)
    text = TABLE.sub(_table, text)
    if "Examples\n---" not in text:
        text = DOCTEST.sub(lambda found: f"```pycon\n{found[0]}\n```", text)
    return text


def _table(found: re.Match[str]) -> str:
    """Return a table of columns of fixed widths as one of Markdown."""
    edges = [(bar.start(), bar.end()) for bar in re.finditer("=+", found[1])]
    edges[-1] = (edges[-1][0], 10**6)
    head, *rows = [
        [line[a:b].strip() for a, b in edges] for line in f"{found[2] or ''}\n{found[3]}".split("\n")
    ]
    lines = [head, ["---"] * len(edges), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in lines)
