"""The facts that tables of what is seen speak of."""

from __future__ import annotations

from manifests.terms.table import Field

# Their values, and what they are about: `finding[cardiomegaly] = present`, `label = no finding`.
SEEN = "label, finding, diagnosis, severity, box, event"
BOTH: tuple[Field, ...] = ("value", "about")
