"""What a new campaign begins with: its fidsel.toml, its levels of theory, the demo."""
