"""Leaks of a benchmark are found however they are dressed; what merely speaks of the same things is left alone."""

from __future__ import annotations

import random
import string
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.decontaminate import (
    DecontaminateConfig,
    Packs,
    PackUse,
    Thresholds,
    check_ids,
    check_texts,
    load_packs,
    resolve,
    with_uses,
)
from curate.packs import build, write
from curate.packs.build import Seen, item_hash
from curate.screen.ids import RecordIds
from curate.text import comparison
from manifests.errors import RecipeError
from sources.benchmarks import BenchmarkItem

RNG = random.Random(11)
ROOTS = [
    "".join(RNG.choice(string.ascii_lowercase) for _ in range(RNG.randint(2, 5))) + ending
    for ending in ("itis", "oma", "emia", "pathy", "ectomy", "scopy", "genic", "plasia", "algia", "tropic")
    for _ in range(60)
]
SMALL = ["of", "the", "with", "in", "a", "and", "to", "for", "is", "by", "from", "after"]


def prose(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(ROOTS) if rng.random() < 0.6 else rng.choice(SMALL) for _ in range(words))


def exam(number: int) -> BenchmarkItem:
    rng = random.Random(f"exam {number}")
    asked = "Which of the following is the most likely diagnosis?"
    question = f"A {rng.randint(20, 80)}-year-old man presents with {prose(rng, 24)}. {asked}"
    return BenchmarkItem(f"exam-{number}", question, tuple(prose(rng, 3) for _ in range(4)), "")


EXAM = [exam(n) for n in range(60)]
SHORT = [
    BenchmarkItem(
        f"short-{n}", f"Drug of choice for {ROOTS[n]} is", (ROOTS[n + 9], ROOTS[n + 99], ROOTS[n + 199], ROOTS[n + 299])
    )
    for n in range(30)
]
VQA = [
    BenchmarkItem(
        f"vqa-{n}", "Is there a pneumothorax in the left upper lobe?", ("yes", "no"), "no", images=(Path(f"{n}.png"),)
    )
    for n in range(5)
]
READ = [
    BenchmarkItem(
        "read-1", "Does it?", context=prose(random.Random("read"), 220), answer="maybe", study="pmid:21645374"
    )
]


@pytest.fixture(scope="module")
def packs() -> Packs:
    return with_uses([build([*EXAM, *SHORT], "exam"), build(VQA, "vqa"), build(READ, "read", b"its own salt")])


def named(packs: Packs, text: str) -> list[tuple[str, str]]:
    return [(h.pack, h.item) for h in check_texts(packs, [text])[0]]


def name_of(packs: Packs, item: BenchmarkItem) -> tuple[str, str]:
    pack = packs.packs[{"exam": 0, "short": 0, "vqa": 1, "read": 2}[item.item_id.split("-")[0]]]
    return pack.name, item_hash(pack.salt, item.item_id)


def shown(item: BenchmarkItem, order: list[int] | None = None, label: str = "{}. ") -> str:
    options = [item.options[i] for i in order or range(len(item.options))]
    return "\n".join([item.question, *(label.format("ABCD"[i]) + o for i, o in enumerate(options))])


# -------------------------------------------------------------------------------------------------------- what is found
@pytest.mark.parametrize("item", [*EXAM[:8], *SHORT[:8]], ids=lambda i: i.item_id)
def test_a_question_is_found_verbatim_normalised_shuffled_and_inside_a_long_text(
    packs: Packs, item: BenchmarkItem
) -> None:
    wanted = name_of(packs, item)
    text = shown(item)
    long = prose(random.Random(77), 10_000).split()
    dressed = unicodedata.normalize("NFD", text.upper()).replace(" ", "\u2003").replace("\n", " .\n ")
    for leak in (text, dressed, shown(item, [2, 0, 3, 1], "({}) "), " ".join([*long[:6000], text, *long[6000:]])):
        assert named(packs, leak) == [wanted]


def test_a_context_is_found_whole_in_part_and_after_edits_of_a_fifth_of_its_words(packs: Packs) -> None:
    wanted = [name_of(packs, READ[0])]
    words = READ[0].context.split()
    assert named(packs, READ[0].context) == wanted
    assert (
        named(packs, prose(random.Random(5), 200) + " ".join(words[100:150]) + prose(random.Random(6), 200)) == wanted
    )
    for seed in range(5):
        assert named(packs, edited(words, random.Random(seed))) == wanted


def edited(words: list[str], rng: random.Random, share: float = 0.2) -> str:
    words = list(words)
    for at in sorted(rng.sample(range(len(words)), round(share * len(words))), reverse=True):
        if rng.random() < 0.4:
            words[at] = rng.choice(ROOTS)
        elif rng.random() < 0.5:
            del words[at]
        else:
            words.insert(at, rng.choice(ROOTS))
    return " ".join(words)


def test_most_questions_are_found_after_edits_of_a_fifth_of_their_words(packs: Packs) -> None:
    texts = [edited(shown(item).split(), random.Random(n)) for n, item in enumerate(EXAM)]
    found = [
        name_of(packs, i) in [(h.pack, h.item) for h in own]
        for i, own in zip(EXAM, check_texts(packs, texts), strict=True)
    ]
    assert sum(found) >= 57


def test_the_place_that_is_named_holds_the_leak(packs: Packs) -> None:
    before, item = prose(random.Random(1), 300), EXAM[3]
    text = f"{before}\n{item.question}\n{prose(random.Random(2), 300)}"
    (hit,) = check_texts(packs, [text])[0]
    tokens = comparison(text).split()
    said = " ".join(tokens[hit.evidence.start : hit.evidence.end])
    assert said in comparison(item.question)
    assert len(said.split()) >= 0.5 * len(comparison(item.question).split())
    assert hit.evidence.part == "question"
    assert hit.score >= hit.threshold > 0


def test_a_line_that_is_the_question_is_exact_and_one_in_other_case_is_normalised(packs: Packs) -> None:
    item = EXAM[5]
    (exact,) = check_texts(packs, [f"Hello.\n{item.question}\nBye."])[0]
    (other,) = check_texts(packs, [f"Hello.\n{item.question.upper()}\nBye."])[0]
    assert (exact.method, other.method, exact.score) == ("exact", "normalised", 1.0)
    tokens = comparison(f"Hello.\n{item.question}\nBye.").split()
    assert " ".join(tokens[exact.evidence.start : exact.evidence.end]) == comparison(item.question)


def test_a_hit_holds_no_word_of_the_item(packs: Packs) -> None:
    words = {w for w in comparison(shown(EXAM[0])).split() if len(w) > 5}
    for hit in check_texts(packs, [shown(EXAM[0])])[0]:
        assert not words & set(f"{hit!r} {hit.text()}".replace("'", " ").split())


# ---------------------------------------------------------------------------------------------------- what is not found
@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "Which of the following is the most likely diagnosis?",
        "A 45-year-old man presents with a history of pain. Which of the following is the most appropriate next step?",
        "Based on the image, is there a pneumothorax in the left upper lobe? Yes",
        "Is there a pneumothorax in the left upper lobe?\nA. yes\nB. no",
        "The aim of this study was to evaluate the efficacy and safety of treatment in patients with the disease.",
        " ".join(EXAM[1].question.split()[8:13]),  # five words in common
        " ".join(sorted(EXAM[1].question.split())),  # its words, in no order
    ],
)
def test_boilerplate_short_questions_on_images_and_shared_words_are_no_leak(packs: Packs, text: str) -> None:
    assert check_texts(packs, [text]) == [[]]


def test_words_of_an_item_strewn_over_a_long_text_are_no_leak(packs: Packs) -> None:
    rng, words = random.Random(8), EXAM[2].question.split()
    assert named(packs, " ".join(f"{one} {prose(rng, 40)}" for one in words)) == []


def test_text_of_the_same_vocabulary_is_clean(packs: Packs) -> None:
    texts = [prose(random.Random(1000 + n), 200) for n in range(300)]
    assert [h for own in check_texts(packs, texts) for h in own] == []


def test_what_a_benchmark_repeats_is_its_template_and_no_evidence() -> None:
    stem = prose(random.Random(4), 40)
    repeated = [BenchmarkItem(f"t{n}", f"{stem} {ROOTS[n]}?") for n in range(12)]
    assert check_texts(with_uses([build(repeated, "templates")]), [f"{stem} something else entirely"]) == [[]]


# ---------------------------------------------------------------------------------------------------------- invariances
def test_each_text_is_judged_alone_and_packs_in_any_order_say_the_same(packs: Packs) -> None:
    texts = [shown(EXAM[1]), prose(random.Random(2), 50), READ[0].context, shown(SHORT[3]), ""]
    together = check_texts(packs, texts)
    assert together == [check_texts(packs, [t])[0] for t in texts]
    turned = with_uses(packs.packs[::-1])
    for mine, theirs in zip(together, check_texts(turned, texts), strict=True):
        assert sorted(map(repr, mine)) == sorted(map(repr, theirs))


def test_packs_of_one_salt_and_of_several_find_the_same() -> None:
    halves = EXAM[:30], EXAM[30:]
    one = with_uses([build(half, f"h{i}") for i, half in enumerate(halves)])
    several = with_uses([build(half, f"h{i}", bytes([i]) * 16) for i, half in enumerate(halves)])
    texts = [shown(item) for item in EXAM]

    def found(packs: Packs) -> list[list[tuple[object, ...]]]:
        return [[(h.pack, h.method, h.score, h.evidence) for h in own] for own in check_texts(packs, texts)]

    assert found(one) == found(several)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(texts=st.lists(st.text(alphabet=st.characters(exclude_categories=[]), max_size=80), max_size=5))
def test_no_text_makes_a_check_raise(packs: Packs, texts: list[str]) -> None:
    assert len(check_texts(packs, texts)) == len(texts)


def test_no_packs_find_nothing() -> None:
    none = with_uses([])
    assert check_texts(none, ["a"]) == [[]]
    assert check_ids(none, [RecordIds(patient=("p-100001",))]) == [[]]


# ----------------------------------------------------------------------------------------------------- ids and policies
def test_ids_and_files_are_found_and_ids_that_are_nobodys_own_are_not(packs: Packs) -> None:
    digest = "ab" * 32

    def media(items: object) -> list[Seen]:
        return [Seen((0,), (("file", digest),))]

    known = with_uses(
        [
            *packs.packs,
            build([BenchmarkItem("m", patient="12", study="s-50414267", aliases=("case-77f",))], "m", media=media),
        ]
    )
    records = [
        RecordIds(study=("pmid:21645374",)), RecordIds(file=(digest,)), RecordIds(patient=("12",)),
        RecordIds(study=("s-50414267", "x")), RecordIds(patient=("case-77f",)), RecordIds(video=("s-50414267",)),
    ]  # fmt: skip
    found = [[(h.pack, h.method) for h in own] for own in check_ids(known, records)]
    assert found == [[("read", "study")], [("m", "file")], [], [("m", "study")], [("m", "patient")], []]


def test_the_strictest_policy_of_the_packs_that_hit_decides(packs: Packs) -> None:
    uses = [
        PackUse(pack="e"),
        PackUse(pack="v", policy="flag"),
        PackUse(pack="r", policy="keep", reason="its articles are wanted"),
    ]
    known = with_uses(packs.packs, uses)
    exam_hits, read_hits = check_texts(known, [shown(EXAM[0]), READ[0].context])
    assert resolve(known.policies, []).policy == "keep"
    assert (resolve(known.policies, exam_hits).policy, resolve(known.policies, exam_hits).reason) == (
        "drop",
        "in_benchmark",
    )
    kept = resolve(known.policies, read_hits)
    assert kept.policy == "keep"
    assert kept.hits
    assert "its articles are wanted" in kept.found
    assert resolve(known.policies, [*read_hits, *exam_hits]).policy == "drop"
    assert resolve(known.policies, [*read_hits, *exam_hits]).found.startswith("exam item")


def test_a_recipe_names_packs_by_path_or_in_full_and_wrong_ones_are_refused(packs: Packs, tmp_path: Path) -> None:
    config = DecontaminateConfig.model_validate({"benchmarks": ["a.pack", {"pack": "b.pack", "policy": "flag"}]})
    assert [(u.pack, u.policy) for u in config.benchmarks] == [("a.pack", "drop"), ("b.pack", "flag")]
    with pytest.raises(RecipeError, match=r"'a\.pack' is not there"):
        load_packs(config, tmp_path)
    write(packs.packs[0], tmp_path / "a.pack")
    write(packs.packs[1], tmp_path / "b.pack")
    assert [p.name for p in load_packs(config, tmp_path).packs] == ["exam", "vqa"]
    write(packs.packs[0], tmp_path / "b.pack")
    with pytest.raises(RecipeError, match="two packs are named 'exam'"):
        load_packs(config, tmp_path)
    for wrong in ({"pack": "x", "policy": "keep"}, {"pack": "x", "policy": "burn"}, {"pack": "x", "polcy": "drop"}):
        with pytest.raises(ValidationError):
            DecontaminateConfig.model_validate({"benchmarks": [wrong]})


def test_a_stricter_threshold_finds_less(packs: Packs) -> None:
    half = " ".join(READ[0].context.split()[:80])
    strict = Thresholds(ngram13=10_000, ngram8=0.9, edited=0.9, words=0.9, minhash=0.9)
    known = with_uses(packs.packs, [PackUse(pack=p.name, thresholds=strict) for p in packs.packs])
    assert named(packs, half)
    assert not named(known, half)
