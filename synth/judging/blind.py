"""Whether a question needs its media, and whether its options are chosen by what they say.

`blind`: a solver of text alone is given the question without pictures and facts. What it solves more often than allowed
teaches the learner to guess. In a multiple choice each attempt has the options in another order, so that only content
can solve it. `shuffle`: the teacher that sees must choose the same option wherever it stands.
"""

from __future__ import annotations

from collections import Counter

from manifests.sample import Answer, Draft
from synth.asking import Talk
from synth.chat import Role
from synth.judging.config import Blind, Shuffle
from synth.judging.questions import (
    Finding,
    choice_of,
    chosen,
    finding,
    movable,
    orders,
    pictures_of,
    question_of,
    reordered,
    request_for,
    response_of,
)
from synth.tasks.subject import Subject
from synth.verify import verify_answer


def solver(config: Blind, roles: frozenset[Role]) -> Role | None:
    """Who is asked without the media: role `blind`, else the teacher where the recipe takes its word for it."""
    if "blind" in roles:
        return "blind"
    return "teacher" if config.by_teacher and "teacher" in roles else None


def blind(draft: Draft, config: Blind, role: Role, seed: int) -> Talk[Finding]:
    """The share of attempts in which a draft with an answer and media is solved without them; an attempt without a
    reply solves nothing.

    Reason: `solved_blind`. A question of two possible answers fails only where `two_way` says so.
    """
    assert draft.answer is not None
    forms = _forms(draft, draft.answer, config.attempts, seed)
    answers = yield tuple(
        request_for(question, config.prompt, seed + attempt, config.temperature, role)
        for attempt, (question, _) in enumerate(forms)
    )
    solved = unanswered = 0
    for answered, (_, gold) in zip(answers, forms, strict=True):
        response = response_of(answered)
        unanswered += response is None
        solved += response is not None and verify_answer(response, gold).passed
    share = solved / config.attempts
    judged = config.two_way or not two_way(draft, draft.answer)
    told = (
        f"{solved} of {config.attempts} solved by the {'blind solver' if role == 'blind' else 'teacher, not shown it'}"
    )
    told += f", {unanswered} unanswered" if unanswered else ""
    told += "" if judged else "; two possible answers: measured only"
    return finding("blind", "solved_blind" if judged and share > config.allowed else "", share, told)


def two_way(draft: Draft, answer: Answer) -> bool:
    """Whether a guess is right half of the time: yes or no, or two options."""
    if answer.type == "mcq":
        choice = choice_of(question_of(draft))
        return choice is not None and len(choice.options) == 2
    return answer.type in ("yes_no", "side")


def _forms(draft: Draft, answer: Answer, attempts: int, seed: int) -> list[tuple[str, Answer]]:
    choice = movable(draft)
    if choice is None:
        return [(question_of(draft), answer)] * attempts
    return [reordered(choice, answer, order) for order in orders(choice, attempts, seed, draft.key)]


def shuffle(subject: Subject, draft: Draft, config: Shuffle, seed: int) -> Talk[Finding | None]:
    """The share of orders of the options in which the seeing teacher makes the choice that it makes most often, asked
    at temperature 0; None for a question without options that may change places.

    Reason: `order_dependent`: below `same`, or no more often than following one letter would choose one option. A
    teacher that chooses the same wrong option everywhere passes: that is for the window to judge.
    """
    choice = movable(draft)
    if choice is None or draft.answer is None:
        return None
    forms = orders(choice, config.orders, seed, draft.key)
    moved = [reordered(choice, draft.answer, order) for order in forms]
    pictures = pictures_of(subject, draft, "teacher")
    answers = yield tuple(request_for(question, config.prompt, seed, 0.0, "teacher", pictures) for question, _ in moved)
    picked: Counter[int] = Counter()
    for answered, order, (_, gold) in zip(answers, forms, moved, strict=True):
        response = response_of(answered)
        option = None if response is None else chosen(response, choice, gold, order)
        if option is not None:
            picked[option] += 1
    most = max(picked.values(), default=0)
    by_letter = -(-config.orders // len(choice.options))
    steady = most > by_letter and most / config.orders >= config.same
    told = f"the same option in {most} of {config.orders} orders, {picked.total()} readable"
    return finding("shuffle", "" if steady else "order_dependent", most / config.orders, told)
