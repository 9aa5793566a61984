fmt:
	ruff format . && ruff check --fix .
lint:
	ruff check . && ruff format --check .
type:
	mypy
test:
	pytest -n 2
docs:
	mkdocs build --strict
.PHONY: docs
