"""Confusion matrices of the verifiers on their gold set, written by `python -m benchmarks.verifiers --write`.

It is a module and not a data file, so that a unit's key, which hashes code, changes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Confusion(NamedTuple):
    """Counts of pairs: right responses rewarded (tp) or not (fn), wrong ones rewarded (fp) or not (tn)."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def false_positive_rate(self) -> float:
        """Of the wrong responses; 1 where there was none to judge."""
        return self.fp / (self.fp + self.tn) if self.fp + self.tn else 1.0

    @property
    def false_negative_rate(self) -> float:
        """Of the right responses; 1 where there was none to judge."""
        return self.fn / (self.fn + self.tp) if self.fn + self.tp else 1.0


MEASURED: Mapping[str, Confusion] = MappingProxyType(
    {
        "mcq": Confusion(tp=504, fp=0, tn=386, fn=0),
        "yes_no": Confusion(tp=416, fp=0, tn=203, fn=0),
        "label": Confusion(tp=893, fp=0, tn=1038, fn=0),
        "number": Confusion(tp=1066, fp=0, tn=1898, fn=0),
        "numbers": Confusion(tp=255, fp=0, tn=253, fn=0),
        "range": Confusion(tp=260, fp=0, tn=341, fn=0),
        "date_interval": Confusion(tp=579, fp=0, tn=668, fn=0),
        "time": Confusion(tp=451, fp=0, tn=496, fn=0),
        "side": Confusion(tp=326, fp=0, tn=696, fn=0),
        "angle": Confusion(tp=254, fp=0, tn=315, fn=0),
        "box": Confusion(tp=627, fp=0, tn=913, fn=0),
        "mask": Confusion(tp=297, fp=0, tn=539, fn=0),
        "set": Confusion(tp=578, fp=0, tn=598, fn=0),
        "ordered_list": Confusion(tp=399, fp=0, tn=469, fn=0),
        "span": Confusion(tp=440, fp=0, tn=549, fn=0),
    }
)
