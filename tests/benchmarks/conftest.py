"""Benchmarks are scripts beside the package, which import each other from their own folder."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS / "papers"), str(BENCHMARKS)]
