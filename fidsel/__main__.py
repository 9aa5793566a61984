"""`python -m fidsel` is the same as `fidsel`."""

from fidsel.cli import main

main()
