"""`deidentify` of a recipe: which data are quarantined, which are kept and why, where text is looked for."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from curate.deidentify.profile import ProfileOptions
from manifests.config import Config
from manifests.errors import Reject


class Keep(Config):
    """Keep what would be quarantined; the reason is recorded with every record that it lets through."""

    keep: str = Field(description="why these data may be kept, in words")

    @field_validator("keep")
    @classmethod
    def _is_a_reason(cls, value: str) -> str:
        if len(value.strip()) < 5:
            raise ValueError('needs a reason in words, for example {keep: "phantom data, no person was imaged"}')
        return value.strip()


class DeidentifyConfig(Config):
    """`deidentify` of a recipe.

    `faces`: quarantine, or {keep: "the reason in words"}. `burned_in`: the same, or detect, which looks for text in
    every 2D image and cine (also those without a DICOM header), blacks what it finds, and drops what stays readable; it
    needs the extra `ocr`.
    """

    profile: Literal["basic"] = "basic"
    options: ProfileOptions = Field(default=ProfileOptions(), description="the options of PS3.15 that are taken")
    faces: Literal["quarantine"] | Keep = "quarantine"
    burned_in: Literal["quarantine", "detect"] | Keep = "quarantine"

    @field_validator("faces", mode="before")
    @classmethod
    def _quarantine_or_a_reason(cls, value: Any) -> Any:
        if isinstance(value, (dict, Keep)) or value == "quarantine":
            return value
        raise ValueError('is quarantine or {keep: "the reason in words"}; a reason is needed, for it is recorded')

    @field_validator("burned_in", mode="before")
    @classmethod
    def _quarantine_detect_or_a_reason(cls, value: Any) -> Any:
        if isinstance(value, (dict, Keep)) or value in ("quarantine", "detect"):
            return value
        known = 'quarantine, detect or {keep: "the reason in words"}'
        raise ValueError(f"is {known}; a reason is needed, for it is recorded")


def quarantined(reason: str, found: str, config: str | Keep) -> str:
    """The recorded reason where the recipe keeps; "" where nothing was found; else Reject."""
    if not found:
        return ""
    if isinstance(config, Keep):
        return config.keep
    raise Reject(reason, found, 'keep with a reason in the recipe: {keep: "..."} under deidentify, or leave it out')
