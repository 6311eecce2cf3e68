"""What a guesser goes by: one wording and one answer where verifiers and readers see one."""

from __future__ import annotations

from manifests.sample import Answer, Draft, Turn
from synth.priors import Asked, asked, wording


def of(question: str, gold: Answer | None) -> Asked:
    return asked(Draft("k", "rlvr", "qa", 0, (Turn("user", question),), answer=gold))


def test_pictures_passages_numbers_and_options_make_no_other_question() -> None:
    plain = "Is the lesion of  mm benign?\nAnswer with the letter."
    said = "<image>\nA passage of 3 lines.\n\nIs the lesion of 3.5 mm benign?\nA. yes\nB. no\nAnswer with the letter."
    assert wording(said) == wording(plain) != wording("Is the lesion malignant?")
    assert wording("Which of these?\nA. liver\n\nB. spleen\n") == "which of these"
    assert wording("") == ""


def test_answers_are_one_where_their_verifier_takes_them_for_one() -> None:
    same = [
        ("Size?", Answer("number", "12.41", "number", "mm"), Answer("number", "12.3", "number", "mm")),
        ("Organ?", Answer("label", "Kidneys|renal", "label"), Answer("label", "renal|kidney", "label")),
        ("Which?", Answer("yes_no", "Yes", "yes_no"), Answer("yes_no", "yes", "yes_no")),
    ]
    for question, one, other in same:
        assert of(question, one) == of(question, other)
    assert of("Size?", same[0][1]).answer != of("Size?", Answer("number", "12.41", "number", "cm")).answer
    assert of("Size?", Answer("number", "three", "number")).answer != of("Size?", Answer("number", "", "number")).answer
    first, second = (of(f"Organ?\nA. {a}\nB. {b}", Answer("mcq", letter, "mcq")) for a, b, letter in (
        ("Liver", "Spleen", "A"), ("spleen", "liver", "B"),
    ))  # fmt: skip
    assert (first.question, first.answer) == (second.question, second.answer)
    assert (first.letter, second.letter) == ("A", "B")
    assert of("Tell.", None) == Asked()
