"""Every target by name."""

from __future__ import annotations

from tests.fuzz import dicom_targets, media_targets, text_targets
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target for target in (*dicom_targets.TARGETS, *media_targets.TARGETS, *text_targets.TARGETS)
}
