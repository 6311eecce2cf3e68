"""What a task is given of one record: the record, its media as they are shown, its pictures, and who may be asked."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from manifests.record import Record
from synth.chat import Picture, Role
from synth.proofs import MediaView
from synth.tasks.seen import as_shown

MOST_PICTURES = 8
LONGEST_SIDE = 448  # pixels of a picture for a teacher: one tile of InternVL, 256 to 324 tokens of Qwen2.5-VL


@dataclass(frozen=True)
class Subject:
    """One record as tasks see it. `roles` are the teachers that the recipe names, `sees` those that read pictures."""

    record: Record
    view: MediaView
    roles: frozenset[Role] = frozenset({"teacher"})
    sees: frozenset[Role] = frozenset()

    @functools.cached_property
    def shown(self) -> Record:
        """The record with those of its facts that hold for what is shown."""
        return as_shown(self.record, self.view)

    def pictures(self, role: Role, most: int = MOST_PICTURES, side: int = LONGEST_SIDE) -> tuple[Picture, ...]:
        """The pictures that go with a question to a teacher; none where it cannot see."""
        return self.view.look(most, side) if role in self.sees else ()
