"""The thresholds by which media are taken for one another; part of a recipe, so part of a run's identity.

What is hashed does not depend on them: how slices and frames are chosen is fixed in `curate.looks.volume` and
`curate.looks.video`, so that stored looks serve every recipe.
"""

from __future__ import annotations

from pydantic import Field

from manifests.config import Config


class LooksConfig(Config):
    """Recall by hashes (of 128 bits, their first 64 judged on their own), then scores of the confirming stage in 0..1.

    `whole_*` judge the picture with and without its borders, `turned_*` the same mirrored or turned, `part_*` its
    halves and parts. A score is a median of local correlations (`curate.looks.confirm`): lower it for more recall,
    raise it to keep more alike media apart.
    Pictures whose hashes of the whole differ in at most `sure_bits` need no more than `sure_score`: two weak proofs of
    different kinds make one, where strong compression has left little local contrast to compare.
    """

    whole_low_bits: int = Field(default=14, ge=0, le=20)
    whole_bits: int = Field(default=36, ge=0, le=48)
    turned_low_bits: int = Field(default=14, ge=0, le=20)
    turned_bits: int = Field(default=32, ge=0, le=48)
    part_low_bits: int = Field(default=12, ge=0, le=20)
    part_bits: int = Field(default=32, ge=0, le=48)
    turns: bool = True  # also mirrors and quarter turns of pictures
    image_score: float = Field(default=0.7, gt=0, le=1)
    sure_bits: int = Field(default=16, ge=0, le=48)
    sure_score: float = Field(default=0.5, gt=0, le=1)
    slice_score: float = Field(default=0.7, gt=0, le=1)
    volume_score: float = Field(default=0.7, gt=0, le=1)
    frame_score: float = Field(default=0.7, gt=0, le=1)
    matches: int = Field(default=3, ge=2)  # slices or frames in line before two stacks are compared
