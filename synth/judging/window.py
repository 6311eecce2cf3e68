"""The window of rewards: how often a teacher is right that sees what a learner will see, and no fact.

A question that every attempt answers teaches nothing; one that none answers is beyond the learner, or its gold is
wrong. The verdict `pass_rate` has the share of right rollouts; each is judged by the verifier that will reward.
"""

from __future__ import annotations

from manifests.sample import Draft
from synth.asking import Talk
from synth.judging.config import Window
from synth.judging.questions import Finding, finding, pictures_of, question_of, request_for, response_of
from synth.tasks.subject import Subject
from synth.verify import verify_answer


def pass_rate(subject: Subject, draft: Draft, config: Window, seed: int) -> Talk[Finding]:
    """The share of `rollouts` answers that earn the gold of a draft with an answer; one without a reply earns nothing.

    Reasons: `too_easy`, `too_hard`, `unanswered` (no rollout had a reply that can be read).
    """
    assert draft.answer is not None
    question, pictures = question_of(draft), pictures_of(subject, draft, "teacher")
    rollouts = range(seed, seed + config.rollouts)
    answers = yield tuple(
        request_for(question, config.prompt, one, config.temperature, "teacher", pictures) for one in rollouts
    )
    said = [response for response in map(response_of, answers) if response is not None]
    right = sum(1 for response in said if verify_answer(response, draft.answer).passed)
    rate = right / config.rollouts
    told = f"{right} of {config.rollouts} right"
    if len(said) < config.rollouts:
        told += f", {config.rollouts - len(said)} unanswered"
    if not said:
        return finding("pass_rate", "unanswered", 0.0, told)
    reason = "too_hard" if rate < config.low else "too_easy" if rate > config.high else ""
    return finding("pass_rate", reason, rate, told)
