"""What happens to records: prepare, select, synthesize, mix, pack."""

__version__ = "0.1.0"
