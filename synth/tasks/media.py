"""A record's media alone, for learning from them without words: self-supervision (MAE, SimDINO, LVM-Med, M3Ret).

The one task whose text is empty; facts travel in the sample as always, for whoever balances by them. A record without
media offers nothing. What reads text (most trainers' dialects) leaves such samples out by name.
"""

from __future__ import annotations

from typing import Literal

from manifests.config import Config
from manifests.record import Record
from manifests.sample import Draft, Verdict
from synth.proofs import MediaView


class MediaAlone(Config):
    """Nothing to choose: all that a record shows is one sample."""

    task: Literal["media"] = "media"


def drafts(record: Record, view: MediaView, config: MediaAlone, seed: int) -> list[Draft]:
    """One pretrain draft without a word, or none of a record that shows nothing."""
    shown = [m for m in view.media if m.kind != "mask"]
    if not shown:
        return []
    verdict = Verdict(-1, "shown", True, 1.0, f"{len(shown)} media, no text")
    return [Draft(record.key, "pretrain", "media", 0, verdicts=(verdict,), shows=tuple(m.member for m in shown))]
