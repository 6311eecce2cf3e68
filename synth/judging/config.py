"""The thresholds of judging, all of them; the defaults are those of published recipes where there are any.

Routing   InfiMed2: 8 answer-masked samples, 6 right keep the least surprised trace, 3 to 5 go to a stronger teacher
Window    MedVLThinker and the usual 8 rollouts at temperature 1: not all wrong, not all right. InfiMed2 keeps 3 to
          5 of 8 (`low: 0.375, high: 0.625`)
Blind     no published number: more than half of the attempts, each with the options in another order
Shuffle   no published number: better than following letters, and half of the orders
Rubric    off; MedVLSynther keeps what scores at least 0.967 of 1 (`synth.judging.criteria.score`)
Veto      off; a judge of another family than the writer, calibrated first (`synth.judging.veto.agreement`)
"""

from __future__ import annotations

from pydantic import Field, model_validator

from manifests.config import Config
from manifests.sample import STAGES, StageName


class Routing(Config):
    """What becomes of `samples` attempts at one question: `keep_at` right ones keep a trace, `stronger_at` and more
    are written anew by the stronger teacher (`stronger_samples` attempts), fewer drop the question."""

    samples: int = Field(default=8, ge=2, le=64)
    keep_at: int = Field(default=6, ge=1)
    stronger_at: int = Field(default=3, ge=1)
    stronger_samples: int = Field(default=1, ge=1, le=16)
    temperature: float = Field(default=1.0, gt=0, le=2)

    @model_validator(mode="after")
    def _in_order(self) -> Routing:
        if not self.stronger_at <= self.keep_at <= self.samples:
            raise ValueError(
                f"stronger_at ({self.stronger_at}), keep_at ({self.keep_at}) and samples ({self.samples}) must not fall"
            )
        return self


class Window(Config):
    """How often the teacher may be right that sees what a learner will see, and no fact. Bounds are inclusive."""

    rollouts: int = Field(default=8, ge=2, le=64)
    temperature: float = Field(default=1.0, gt=0, le=2)
    low: float = Field(default=0.125, ge=0, le=1)  # below: too hard, or the gold is wrong
    high: float = Field(default=0.875, ge=0, le=1)  # above: too easy to teach anything
    prompt: str = "solve"
    stages: tuple[StageName, ...] = ("rlvr",)

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        return self


class Blind(Config):
    """How often a question about media may be answered without them. Each attempt has its own seed and, in a multiple
    choice, its own order of options, so that a habit of one letter solves no more than its share.

    `two_way` says whether questions of two possible answers can fail: a guess is right half of the time, and a solver
    with a habit of "yes" would take every "yes" out. `by_teacher` asks the teacher without pictures where the recipe
    names no blind one. That is weaker evidence: it may have written the question, and a model made for pictures can be
    poor without them.
    """

    attempts: int = Field(default=4, ge=1, le=64)
    allowed: float = Field(default=0.5, ge=0, lt=1)  # share of attempts that may be right
    temperature: float = Field(default=0.7, gt=0, le=2)
    two_way: bool = False
    by_teacher: bool = False
    prompt: str = "blind"
    stages: tuple[StageName, ...] = ("rlvr",)


class Shuffle(Config):
    """Whether the seeing teacher chooses by option or by place: `orders` orders of the same options at temperature 0.

    It must choose the same option in at least a share `same` of them, and more often than following one letter would.
    """

    orders: int = Field(default=4, ge=2, le=24)
    same: float = Field(default=0.5, ge=0, le=1)
    prompt: str = "solve"
    stages: tuple[StageName, ...] = ("rlvr",)


class Rubric(Config):
    """The opinion of the teacher of role `judge` on each criterion of a rubric: a draft of these stages and tasks must
    meet every essential one and score at least `threshold`. `criteria` names a shipped rubric or a `.yaml` file.

    The judge must be another model than those that write, unless `same_model` says otherwise."""

    criteria: str = "medvlsynther"
    threshold: float = Field(default=0.967, ge=0, le=1)
    prompt: str = "rubric"
    stages: tuple[StageName, ...] = STAGES
    tasks: tuple[str, ...] = ()  # none named: of every task
    same_model: bool = False
    facts: int = Field(default=40, ge=1, le=200)  # lines of facts that the judge is told
    source_chars: int = Field(default=2000, ge=40, le=20_000)  # of the source's text


class Veto(Config):
    """The opinion of the teacher of role `judge` on drafts that passed everything else; it can only take away."""

    prompt: str = "judge"
    stages: tuple[StageName, ...] = STAGES
    written_by_teacher: bool = True  # only drafts that a teacher wrote; programs' texts are templates over proofs
    facts: int = Field(default=40, ge=1, le=200)  # lines of facts that the judge is told
    source_chars: int = Field(default=2000, ge=40, le=20_000)  # of the source's text


class Judging(Config):
    """The checks of all drafts of a record, in this order; null leaves one out. That RLVR is rewarded only by verifiers
    measured to reward no wrong answer cannot be left out."""

    orders: bool = True
    leak: bool = True
    identifiers: bool = True
    policy: bool = True
    window: Window | None = Window()
    blind: Blind | None = Blind()
    shuffle: Shuffle | None = Shuffle()
    rubric: Rubric | None = None
    veto: Veto | None = None
