"""Measurements. Each module has a main: `python -m benchmarks.NAME`; `--write` puts its table into README.md."""
