"""Balance of answers: a cap that holds exactly on what is drawn, and what a guesser knows, counted by hand."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.balance import FEW, Balance, Prior
from manifests.mixture import Mixed, Mixture, Share, mix
from manifests.offers import Offer, Offers

Family = tuple[str, ...]


def asked(number: int, question: str, answer: str, letter: str = "", source: str = "a", task: str = "qa") -> Offer:
    verifier = "mcq" if letter else "yes_no"
    return Offer(
        f"{source}{number:04d}", source, "rlvr", 0, task=task, verifier=verifier, question=question, answer=answer,
        letter=letter, tokens=number % 7 + 1,
    )  # fmt: skip


def families_of(offers: list[Offer], by: str) -> dict[Family, list[int]]:
    """The rows of each family, as the module's first words say."""
    wordings = Counter((o.task, o.verifier, o.question) for o in offers)
    found: dict[Family, list[int]] = {}
    for row, o in enumerate(offers):
        own = by == "question" and wordings[o.task, o.verifier, o.question] >= FEW
        found.setdefault((o.task, o.verifier, o.question) if own else (o.task, o.verifier), []).append(row)
    return found


def known(offers: list[Offer], uses: Counter[int], by: str = "question") -> tuple[int, int]:
    """How many uses there are, and on how many the guesser is right."""
    right = 0
    for rows in families_of(offers, by).values():
        axes = [Counter[str](), Counter[str]()]
        for row in rows:
            axes[0][offers[row].answer] += uses[row]
            if offers[row].letter:
                axes[1][offers[row].letter] += uses[row]
        right += max(max(axis.values(), default=0) for axis in axes)
    return uses.total(), right


def check(offers: list[Offer], made: Mixed, balance: Balance) -> None:
    """No answer or letter has more than its share, whatever the budget."""
    uses = Counter(made.drawn.offer.tolist())
    for rows in families_of(offers, balance.by).values():
        if len(rows) < FEW:
            continue
        for axis in ("answer", "letter"):
            every = {getattr(offers[row], axis) for row in rows} - {""}
            drawn = Counter(getattr(offers[row], axis) for row in rows for _ in range(uses[row]))
            kinds = max(sum(1 for value in every if drawn[value]), 2)
            share = max(Fraction(str(balance.at_most)), Fraction(1, kinds))
            most = max(Fraction(balance.least), share * drawn.total())
            assert all(drawn[value] <= most for value in every)


@st.composite
def worlds(any_draw: st.DrawFn) -> list[Offer]:
    """Questions of three wordings with lopsided answers, some with letters, some asked too rarely for a family."""
    offers: list[Offer] = []
    for question in ("q", "r", "s"):
        lettered = any_draw(st.booleans())
        for answer in ("yes", "no", "both"):
            for _ in range(any_draw(st.integers(0, 14))):
                letter = any_draw(st.sampled_from("ABB")) if lettered else ""
                source = any_draw(st.sampled_from("ab"))
                offers.append(asked(len(offers), question, answer, letter, source))
    return offers


BALANCES = st.builds(
    Balance, by=st.sampled_from(["question", "task"]), at_most=st.sampled_from([0.2, 0.5, 0.6, 0.75]),
    least=st.integers(1, 4),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=50)
@given(worlds(), BALANCES, st.none() | st.integers(1, 60), st.integers(1, 3), st.booleans(), st.randoms())
def test_no_answer_and_no_letter_is_drawn_more_than_its_share(
    offers: list[Offer], balance: Balance, budget: int | None, repeat: int, tokens: bool, rng: object
) -> None:
    """Under every budget, weight and repeat; in whatever order the offers come."""
    import random

    assert isinstance(rng, random.Random)
    shares = {"a": Share(weight=3, max_repeat=repeat), "b": Share(weight=1)} if budget else {}
    mixture = Mixture(balance=balance, samples=None if tokens else budget, tokens=budget if tokens else None)
    made = mix(Offers.of(offers), shares, mixture, 5)
    check(offers, made, balance)
    uses = Counter(made.drawn.offer.tolist())
    every = Counter(range(len(offers)))
    if offers:
        (prior,) = made.priors
        assert (prior.offered, prior.offered_right) == known(offers, Counter(dict.fromkeys(every, 1)))
        assert (prior.drawn, prior.drawn_right) == known(offers, uses)
        assert budget or prior.left_out == len(offers) - len(uses)
    mixed = list(offers)
    rng.shuffle(mixed)
    again = mix(Offers.of(mixed), shares, mixture, 5).drawn
    assert [mixed[n].key for n in again.offer.tolist()] == [offers[n].key for n in made.drawn.offer.tolist()]


def test_what_stays_is_the_most_that_can() -> None:
    offers = [asked(n, "q", "yes" if n < 90 else "no") for n in range(100)]
    made = mix(Offers.of(offers), {}, Mixture(balance=Balance(at_most=0.6)), 3)
    counted = Counter(offers[n].answer for n in made.drawn.offer.tolist())
    assert counted == {"yes": 15, "no": 10}  # 16 would be more than 0.6 of 26
    assert made.priors == (Prior("rlvr", 100, 90, 25, 15, 75),)
    alone = mix(Offers.of(offers[:90]), {}, Mixture(balance=Balance()), 3)
    assert len(alone.drawn) == 1
    plain = mix(Offers.of(offers[: FEW - 1]), {}, Mixture(balance=Balance()), 3)
    assert len(plain.drawn) == FEW - 1


def test_more_of_a_rare_answer_and_other_questions_only_add_to_what_stays() -> None:
    offers = [asked(n, "q", "yes" if n % 5 else "no") for n in range(100)]
    more = [*offers, *(asked(n, "q", "no") for n in range(100, 120)), *(asked(n, "r", "no") for n in range(200, 250))]
    mixture = Mixture(balance=Balance(at_most=0.5))
    before, after = (mix(Offers.of(some), {}, mixture, 3).drawn.offer.tolist() for some in (offers, more))
    kept = {offers[n].key for n in before}
    assert kept < {more[n].key for n in after}
    assert sum(more[n].question == "q" for n in after) == 80


def test_others_are_drawn_for_what_is_too_much() -> None:
    """A budget is met in full where enough is left, although the prior of what it would take is above the cap."""
    offers = [asked(n, "q", "yes" if n % 5 else "no") for n in range(400)]
    offers += [asked(n, "r", "yes" if n % 2 else "no", source="b") for n in range(400)]
    shares = {"a": Share(weight=1, max_repeat=2), "b": Share(weight=1)}
    made = mix(Offers.of(offers), shares, Mixture(samples=240, balance=Balance(at_most=0.5)), 3)
    assert len(made.drawn) == 240
    check(offers, made, Balance(at_most=0.5))


def test_other_stages_and_offers_without_an_answer_are_left_alone() -> None:
    offers = [Offer(f"k{n}", "a", "sft", 0, verifier="yes_no", question="q", answer="yes") for n in range(30)]
    offers += [Offer(f"m{n}", "a", "rlvr", 0) for n in range(30)]
    made = mix(Offers.of(offers), {}, Mixture(balance=Balance()), 0)
    assert len(made.drawn) == 60
    assert made.priors == (Prior("sft", 30, 30, 30, 30),)
