"""The source's own text for pretraining: a document as it is, or the text that goes with an image, volume or video.

Where the source says where its pictures stand in the text (`PICTURE`), `<image>` stands there, and the sample shows the
pictures that have a place, as in `interleaved`: a recipe needs one of the two tasks for such documents.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from manifests.config import Config
from manifests.record import PICTURE, Record
from manifests.sample import Draft
from synth.proofs import MediaView, call_text, prove
from synth.tasks.common import finish, source_verdict
from synth.tasks.posing import in_places, shown
from synth.verify import latin_script, length


class SourceText(Config):
    """`max_chars` and `latin_only` reject with a named verdict; 0 means no limit."""

    task: Literal["source_text"] = "source_text"
    max_chars: int = Field(default=0, ge=0)
    latin_only: bool = False


def drafts(record: Record, view: MediaView, config: SourceText, seed: int) -> list[Draft]:
    """One pretrain text, with the digest of the source's text as its proof; none where there is no text."""
    if not view.text.strip():
        return []
    verdicts = [source_verdict(-1, "the text is the source's own")]
    if config.max_chars:
        verdicts.append(length(view.text, -1, config.max_chars))
    if config.latin_only:
        verdicts.append(latin_script(view.text, -1))
    proof = prove(call_text("digest", {"field": "text"}), view, -1)
    draft = Draft(
        key=record.key,
        stage="pretrain",
        task="source_text",
        part=0,
        text=in_places(view.text),
        proofs=(proof,),
        verdicts=tuple(verdicts),
        shows=shown(view, record.kind, (0,))[0] if PICTURE in view.text else None,
    )
    return [finish(draft)]
