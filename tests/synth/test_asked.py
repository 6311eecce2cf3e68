"""Questions, options and dialogues that a source gives: how they are put, and that an audit finds what was changed."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from curate.audit.samples import Words
from curate.audit.stated import Said, unstated
from curate.shard import words_json
from manifests.record import PICTURE, Asked, Media, Record
from manifests.sample import Draft, Turn
from synth.proofs import MediaView, check
from synth.tasks import dialogue, interleaved, qa, source_text
from synth.tasks.dialogue import Dialogue
from synth.tasks.interleaved import Interleaved
from synth.tasks.posing import posed
from synth.tasks.qa import Qa
from synth.tasks.source_text import SourceText
from synth.verify import verify_answer

PIXELS = np.zeros((8, 8), np.uint8)
ORGANS = Asked(
    "Which organ makes insulin?", "the pancreas", ("the liver", "the pancreas", "the spleen", "a kidney"), "recall",
    "Beta cells of its islets make it.",
)  # fmt: skip
SIZE = Asked("How long is the lesion?", "3.5 cm")
WHY = Asked("Why is the heart large?", "Because " + "the left ventricle has worked against high pressure " * 8)
LETTERED = dataclasses.replace(ORGANS, why="Ans. is B, for (A) makes bile and D makes urine.")


def record(
    *asked: Asked, pictures: int = 0, text: str = "", is_dialogue: bool = False, key: str = "0" * 32
) -> tuple[Record, MediaView]:
    media = tuple(Media(f"p{n}.png", "image", (8, 8), "uint8", "0" * 64, 64) for n in range(1, pictures + 1))
    made = Record(key, "s", "s/1", "1", "0" * 64, "image" if pictures else "text", "g", "MIT", "open", media=media,
                  text=text, asked=asked, dialogue=is_dialogue)  # fmt: skip
    return made, MediaView(media, lambda name: PIXELS, text=text, asked=asked)


def wrong(draft: Draft, of: Record) -> list[str]:
    """What an audit finds in a draft's sample: its proofs computed from the words that travel, and what they state."""
    words = Words.model_validate({**(found := words_json(of, draft.proofs)), "asked": tuple(found["asked"])})
    view = MediaView(of.media, lambda name: PIXELS, text=words.text, asked=words.all_asked)
    failed = [p.call for p in draft.proofs if not check(p, view).passed]
    said = Said(draft.text, draft.turns, draft.answer, draft.proofs, (), False, words.text, words.all_asked)
    return [*failed, *unstated(said)]


def made_of(
    asked: tuple[Asked, ...], config: Qa | None = None, key: str = "0" * 32
) -> tuple[Record, list[Draft], list[Draft]]:
    of, view = record(*asked, key=key)
    drafts = qa.drafts(of, view, config or Qa(), 7)
    assert not [problem for d in drafts if d.accepted for problem in wrong(d, of)]
    return of, [d for d in drafts if d.stage == "sft"], [d for d in drafts if d.stage == "rlvr"]


def test_each_question_is_a_conversation_and_each_short_answer_a_prompt() -> None:
    of, talks, prompts = made_of((ORGANS, SIZE, WHY, SIZE, Asked("Unanswered?", ""), Asked("", "Unasked.")))
    assert [(d.part, d.turns[0].content.partition("\n")[0]) for d in talks] == [
        (0, ORGANS.question), (1, SIZE.question), (2, WHY.question),
    ]  # fmt: skip
    assert [p.call for p in talks[1].proofs] == ["digest(field=question, number=2)", "span(text=3.5 cm, number=2)"]
    assert [p.call for p in talks[2].proofs][1] == "digest(field=answer, number=3)"
    assert [(d.part, d.answer.type, d.answer.verifier) for d in prompts if d.answer] == [
        (0, "mcq", "mcq"), (1, "number", "number"),
    ]  # fmt: skip
    assert [one["number"] for one in words_json(of, talks[1].proofs)["asked"]] == [2]  # others do not travel


def test_options_are_lettered_their_gold_is_right_and_its_letter_balanced() -> None:
    letters = Counter[str]()
    for number in range(200):
        of, view = record(ORGANS, key=f"{number:032}")
        talk, prompt = qa.drafts(of, view, Qa(reasons=False), 7)
        lines = dict(line.split(". ", 1) for line in talk.turns[0].content.split("\n")[1:])
        letter = next(k for k, option in lines.items() if option == ORGANS.answer)
        assert prompt.answer is not None
        assert talk.turns[1].content == f"{letter}. {ORGANS.answer}"
        assert (prompt.answer.gold, prompt.answer.options.split("|")) == (letter, list(lines.values()))
        assert sorted(lines.values()) == sorted(ORGANS.options)
        assert prompt.turns[0].content == f"{talk.turns[0].content}\nAnswer with the letter of the right option."
        assert {k for k in lines if verify_answer(f"<answer>{k}</answer>", prompt.answer).passed} == {letter}
        letters[letter] += 1
    assert set(letters) == set("ABCD")
    assert all(30 <= count <= 70 for count in letters.values())


@pytest.mark.parametrize("last", ["All of the above", "Both A and C", "none of these"])
def test_options_that_speak_of_each_other_keep_their_order(last: str) -> None:
    one = Asked("Which?", last, ("liver", "spleen", "kidney", last))
    assert {posed(one, 1, seed, "k", 4, 0.01).said for seed in range(30)} == {f"D. {last}"}


def test_an_explanation_is_the_reasoning_and_keeps_the_letters_that_it_names() -> None:
    for number in range(12):
        _, (plain,), _ = made_of((ORGANS,), key=f"{number:032}")
        assert plain.turns[1].content.startswith(f"<think>{ORGANS.why}</think><answer>")
        _, (named,), (prompt,) = made_of((LETTERED,), key=f"{number:032}")
        assert named.turns[1].content == f"<think>{LETTERED.why}</think><answer>B. the pancreas</answer>"
        assert prompt.answer is not None
    assert {record_letter(LETTERED, n) for n in range(40)} == set("ABCD")  # a prompt has no reasoning to contradict
    _, (bare,), _ = made_of((ORGANS,), Qa(reasons=False))
    assert bare.turns[1].content.endswith(". the pancreas")


def record_letter(one: Asked, number: int) -> str:
    gold = posed(one, 1, 7, str(number), 4, 0.01).gold
    assert gold is not None
    return gold.gold


def test_long_lists_are_cut_to_the_letters_and_yes_or_no_needs_none() -> None:
    many = Asked("Which code?", "code 40", tuple(f"code {n}" for n in range(60)))
    _, (talk,), (prompt,) = made_of((many,))
    assert len(talk.turns[0].content.split("\n")) == 11
    assert prompt.answer is not None
    assert prompt.answer.options.split("|")["ABCDEFGHIJ".index(prompt.answer.gold)] == "code 40"
    _, (closed,), (yes_no,) = made_of((Asked("Is it?", "Yes", ("Yes", "No")),))
    assert ([t.content for t in closed.turns], yes_no.answer and yes_no.answer.type) == (["Is it?", "Yes"], "yes_no")


@pytest.mark.parametrize(
    ("options", "reason"),
    [(("liver", "spleen"), "not_an_option"), (("the pancreas", "The pancreas.", "liver"), "options_alike")],
)
def test_a_question_without_one_right_option_is_rejected_by_name(options: tuple[str, ...], reason: str) -> None:
    of, view = record(dataclasses.replace(ORGANS, options=options), SIZE)
    drafts = qa.drafts(of, view, Qa(), 7)
    assert [(d.stage, d.accepted, d.reason) for d in drafts] == [
        ("sft", True, ""), ("sft", False, reason), ("rlvr", True, ""),
    ]  # fmt: skip


def test_together_they_are_conversations_of_at_most_so_many_questions() -> None:
    asked = tuple(Asked(f"What is sign {n}?", f"sign number {n}") for n in range(5))
    _, talks, prompts = made_of(asked, Qa(together=True, max_turns=2))
    assert [len(d.turns) for d in talks] == [4, 4, 2]
    assert [t.content for t in talks[1].turns[::2]] == [a.question for a in asked[2:4]]
    assert len(prompts) == 5


def test_questions_are_texts_for_pretraining_where_that_is_asked_for() -> None:
    of, view = record(ORGANS, SIZE, WHY, pictures=2, text="A passage.")
    assert {d.stage for d in qa.drafts(of, view, Qa(), 7)} == {"sft", "rlvr"}
    texts = qa.drafts(of, view, Qa(stages=("pretrain",), together=True, context=True), 7)
    (made,) = texts
    letter = next(line[0] for line in made.text.split("\n") if line.endswith("the pancreas") and line[1] == ".")
    assert made.text.startswith("A passage.\n\nWhich organ makes insulin?\nA. ") or made.text.startswith("<image>")
    assert (
        f"\nAnswer: {letter}. the pancreas\nExplanation: {ORGANS.why}\n\n{SIZE.question}\nAnswer: 3.5 cm" in made.text
    )
    assert (made.stage, made.accepted, made.shows, wrong(made, of)) == ("pretrain", True, ("p1.png", "p2.png"), [])
    for old, new in (
        (letter + ". the p", "J. the p"),
        ("3.5", "4.5"),
        ("Which", "What"),
        ("Beta", "Alpha"),
        ("A pass", ""),
    ):
        assert wrong(dataclasses.replace(made, text=made.text.replace(old, new, 1)), of), old
    for text in (f"{made.text} Benign.", made.text.partition(f"\n\n{SIZE.question}")[0]):
        assert wrong(dataclasses.replace(made, text=text), of)
    (flawed,) = qa.drafts(
        *record(dataclasses.replace(ORGANS, options=("liver", "spleen"))), Qa(stages=("pretrain",)), 7
    )
    assert (flawed.stage, flawed.accepted, flawed.reason) == ("pretrain", False, "not_an_option")


def test_a_dialogue_is_one_conversation_word_for_word_and_no_question_answering() -> None:
    said = (Asked("My chest\nhurts.", "Since when?"), Asked("Two days.", "See a doctor.  Today."), Asked("Thanks.", ""))
    of, view = record(*said, is_dialogue=True)
    (talk,) = dialogue.drafts(of, view, Dialogue(), 1)
    words = [text for one in said[:2] for text in (one.question, one.answer)]
    assert [(turn.role, turn.content) for turn in talk.turns] == list(
        zip(("user", "assistant") * 2, words, strict=True)
    )
    assert (talk.accepted, wrong(talk, of), qa.drafts(of, view, Qa(), 1)) == (True, [], [])
    assert len(dialogue.drafts(of, view, Dialogue(max_turns=1), 1)[0].turns) == 2
    assert dialogue.drafts(of, view, Dialogue(least=3), 1) == []
    assert dialogue.drafts(*record(*said), Dialogue(), 1) == []


# --- pictures --------------------------------------------------------------------------------------------------------

PLACED = (
    Asked(f"Compare {PICTURE} with\n{PICTURE}.", "The second one is larger by far."),
    Asked("What is in both?", "Gallstones"),
)


def test_a_picture_stands_in_its_place_and_only_placed_ones_are_shown() -> None:
    of, view = record(*PLACED, pictures=3, text=f"First view:\n{PICTURE}\nA report.")
    first, second, prompt = qa.drafts(of, view, Qa(), 7)
    assert first.turns[0].content == "Compare <image> with\n<image>."
    assert (first.shows, second.shows) == (("p2.png", "p3.png"), ("p1.png", "p2.png", "p3.png"))
    assert second.turns[0].content == "<image>\n<image>\n<image>\nWhat is in both?"
    assert prompt.turns[0].content == second.turns[0].content
    (whole,) = (d for d in qa.drafts(of, view, Qa(context=True, together=True), 7) if d.stage == "sft")
    assert whole.turns[0].content.startswith("First view:\n<image>\nA report.\n\nCompare <image> with")
    assert whole.shows == ("p1.png", "p2.png", "p3.png")
    (document,) = interleaved.drafts(of, view, Interleaved(least=1), 7)
    assert (document.text, document.shows) == ("First view:\n<image>\nA report.", ("p1.png",))
    (own,) = source_text.drafts(of, view, SourceText(), 7)
    assert (own.text, own.shows) == (document.text, document.shows)
    assert interleaved.drafts(of, view, Interleaved(), 7) == []  # two pictures make a document
    assert not [problem for d in (first, second, prompt, whole, document, own) for problem in wrong(d, of)]


def test_each_sample_has_as_many_placeholders_as_pictures_or_none() -> None:
    talk = (Asked(f"Look: {PICTURE}", "A mass."), Asked(f"And now? {PICTURE} {PICTURE}", f"Smaller, as in {PICTURE}."))
    for asked, pictures in ((PLACED, 2), (talk, 4), ((SIZE, WHY), 3), ((SIZE,), 1)):
        for text in ("", f"{PICTURE} {PICTURE} end") if pictures == 2 else ("",):
            of, view = record(*asked, pictures=pictures + text.count(PICTURE), text=text)
            of_dialogue = dataclasses.replace(of, dialogue=True)
            drafts = [d for c in (Qa(), Qa(together=True), Qa(context=True)) for d in qa.drafts(of, view, c, 7)]
            for draft in [*drafts, *dialogue.drafts(of_dialogue, view, Dialogue(), 7)]:
                said = "".join(t.content for t in draft.turns)
                assert said.count("<image>") in ((len(draft.shows or ()),) if pictures > 1 else (0,))
                assert PICTURE not in said


# --- audits ----------------------------------------------------------------------------------------------------------


def edits(draft: Draft) -> list[Draft]:
    """The draft with one thing changed, in each of many ways."""
    out = []
    for at, turn in enumerate(draft.turns):
        changed = [f"{turn.content} Indeed.", f"No: {turn.content}", turn.content[:-2]]
        if "pancreas" in turn.content:
            changed.append(turn.content.replace("the pancreas", "the stomach"))
        if "<think>" in turn.content:
            changed.append(turn.content.replace("islets", "ducts"))
        for content in (words for words in changed if words != turn.content):
            turns = (*draft.turns[:at], Turn(turn.role, content), *draft.turns[at + 1 :])
            out.append(dataclasses.replace(draft, turns=turns))
    if draft.answer is not None:
        other = "A" if draft.answer.gold != "A" else "B"
        out = [dataclasses.replace(draft, answer=dataclasses.replace(draft.answer, gold=other))]
    return out


@pytest.mark.parametrize("asked", [(ORGANS,), (LETTERED,), (SIZE, WHY), (ORGANS, SIZE)])
def test_an_audit_names_every_edit_of_a_source_s_words(asked: tuple[Asked, ...]) -> None:
    of, talks, prompts = made_of(asked, Qa(together=True))
    (spoken,) = dialogue.drafts(*record(*asked, is_dialogue=True), Dialogue(), 1)
    changed = [one for draft in (*talks, *prompts, spoken) for one in edits(draft)]
    assert len(changed) > 6
    assert [one.turns for one in changed if not wrong(one, of)] == []


def test_a_reasoning_that_no_proof_covers_is_named() -> None:
    of, (talk,), _ = made_of((ORGANS,), Qa(reasons=False))
    invented = Turn("assistant", f"<think>Because I say so.</think><answer>{talk.turns[1].content}</answer>")
    assert wrong(dataclasses.replace(talk, turns=(talk.turns[0], invented)), of)
