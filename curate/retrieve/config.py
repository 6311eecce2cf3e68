"""What a recipe says of retrieval: which texts are searched, how they are cut, how passages are scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from manifests.config import Config, unknown
from sources.base import SourceConfig
from sources.fusion import Every


class Retrieve(Config):
    """`sources` are names, or terms of cards ({every: ...}) that the recipe's own sources are held to; none: all of
    them. A passage has about `words` words, cut at sentences. `k1` and `b` are BM25's. `candidates` are kept for each
    question, for tasks to choose from. `oracle`: whether passages of the record that asks may be among them (`keep`);
    a passage of which the share `same_text` stands in the record's own text counts as its own."""

    sources: tuple[str | Every, ...] = ()
    words: int = Field(default=120, ge=20, le=1000)
    candidates: int = Field(default=12, ge=1, le=64)
    k1: float = Field(default=1.2, ge=0, le=10)
    b: float = Field(default=0.75, ge=0, le=1)
    oracle: Literal["keep", "drop"] = "keep"
    same_text: float = Field(default=0.8, gt=0, le=1)

    def check(self, sources: Sequence[SourceConfig]) -> None:
        """Raises `ValueError` for a name that is no source of the recipe, and for terms that none of its cards says."""
        names = [s.called for s in sources]
        for one in self.sources:
            if isinstance(one, str) and one not in names:
                raise ValueError(f"retrieve.sources: {unknown('source', one, names)}")
            if isinstance(one, Every) and not any(_meets(one, s) for s in sources):
                raise ValueError("retrieve.sources: no source of the recipe has a card that says all of `every`")

    def searched(self, sources: Sequence[SourceConfig]) -> frozenset[str]:
        """The names of the sources whose texts are searched."""
        chosen = {
            s.called
            for s in sources
            if not self.sources or any(_meets(o, s) if isinstance(o, Every) else o == s.called for o in self.sources)
        }
        return frozenset(chosen)


def _meets(every: Every, source: SourceConfig) -> bool:
    card = type(source).card
    return bool(card.url) and every.meets(card)
