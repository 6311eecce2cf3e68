"""A source whose rows kill the process that parses them: the parser that segfaults, in a form that a test can switch.

With `limits` that is a process of its own; without, it is the worker."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Iterator
from typing import ClassVar

from curate.deidentify import DeidentifyConfig
from curate.inventory import DEFAULT_LIMITS, KeyHint
from curate.keyring import Keyring
from curate.prepare import PrepareSpec
from curate.sandbox import Limits
from curate.units import Unit, unit_key
from manifests.card import Card
from manifests.record import FileRef, digest
from sources.base import Item, Place, Pseudonym, SourceConfig


class KillingSource(SourceConfig):
    """Rows of text. The item named `always` kills who parses it each time, the one named `once` the first time only;
    the one named `held` first says that it has begun and waits as long as a file `hold` lies below the root."""

    card: ClassVar[Card] = Card(name="killing", what="text that kills its parser")
    source: str = "killing"
    always: str = ""
    once: str = ""
    held: str = ""

    def rows(self, item: Item, place: Place, pseudonym: Pseudonym) -> Iterator[Item]:
        name = item.upstream_id
        died = place.root / f"{name}.died"
        if name == self.always or (name == self.once and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name == self.held:
            (place.root / f"{name}.begun").touch()
            while (place.root / "hold").exists():
                time.sleep(0.02)
        yield dataclasses.replace(item, form="text")


def killing_unit(
    source: KillingSource, place: Place, names: list[str], key_id: str = "", limits: Limits | None = DEFAULT_LIMITS
) -> Unit:
    """One prepare unit with an item for each name; the same bytes whatever the source kills."""
    key = KeyHint("killing", 0, "", key_id or Keyring.load("killing", 0).key_id)
    items = tuple(
        Item(
            upstream_id=name,
            form="rows",
            files=(FileRef(path="rows", sha256=digest(name), size_bytes=len(name), fragment=f"name={name}"),),
            text=f"The finding of {name} is unremarkable, and no further examination is needed before the next year.",
        )
        for name in names
    )
    spec = PrepareSpec(source, place, items, DeidentifyConfig(), key, limits)
    return Unit("prepare", unit_key("prepare", "test", names), spec, label="killing", records=len(items))
