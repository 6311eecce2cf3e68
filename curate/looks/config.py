"""The thresholds by which media are taken for one another; part of a recipe, so part of a run's identity."""

from __future__ import annotations

from pydantic import Field

from manifests.config import Config


class LooksConfig(Config):
    """Recall by hashes (of 128 bits, their first 64 judged on their own), then scores of the confirming stage in 0..1.

    `whole_*` judge the picture with and without its borders, `turned_*` the same mirrored or turned, `part_*` its
    halves and parts. A score is a median of local correlations (`curate.looks.confirm`): lower it for more recall,
    raise it to keep more alike media apart.
    """

    whole_low_bits: int = Field(default=14, ge=0, le=20)
    whole_bits: int = Field(default=36, ge=0, le=48)
    turned_low_bits: int = Field(default=14, ge=0, le=20)
    turned_bits: int = Field(default=32, ge=0, le=48)
    part_low_bits: int = Field(default=12, ge=0, le=20)
    part_bits: int = Field(default=32, ge=0, le=48)
    turns: bool = True  # also mirrors and quarter turns of pictures
    image_score: float = Field(default=0.7, gt=0, le=1)
    slice_score: float = Field(default=0.7, gt=0, le=1)
    volume_score: float = Field(default=0.7, gt=0, le=1)
    frame_score: float = Field(default=0.7, gt=0, le=1)
    matches: int = Field(default=3, ge=2)  # slices or frames in line before two stacks are compared
    slice_step_mm: float = Field(default=2.0, gt=0)
    anchor_mm: float = Field(default=10.0, gt=0)
    frame_step_s: float = Field(default=0.25, gt=0)
    frame_anchor_s: float = Field(default=0.5, gt=0)
