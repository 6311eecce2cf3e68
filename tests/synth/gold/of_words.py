"""Rules for answers in words: letters, yes and no, labels, sides, sets, lists and verbatim spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manifests.sample import Answer
from tests.synth.gold.base import FACTS, Case, Cores, Pair, pairs_of

LETTERS = "ABCDEFGHIJ"
COUNTED = {
    "Nodule": "Nodules",
    "Kidney": "Kidneys",
    "Pulmonary Mass": "Pulmonary Masses",
    "Left Kidney": "Left Kidneys",
}
LABELS = tuple(
    x for x in dict.fromkeys(x.capitalize() for x in FACTS["labels"])
    if x.lower() not in ("none", "left", "right", "both", "much", "a little", "keep healthy", "kidney", "upper",
                         "control heartbeat and breathing")
)  # fmt: skip
# (gold, equal to it, close to it but not it): spelling, signs, grades and sides, written by hand
TWINS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("pulmonary edema", "pulmonary oedema", ("pulmonary embolism", "no pulmonary oedema")),
    ("brain tumor", "brain tumour", ("brain tremor", "brain without tumour")),
    ("subdural hemorrhage", "subdural haemorrhage", ("epidural haemorrhage", "subdural haemorrhage excluded")),
    ("esophagus", "oesophagus", ("sarcophagus", "trachea")),
    ("pleural effusion|hydrothorax", "hydrothorax", ("pneumothorax", "pericardial effusion", "no hydrothorax")),
    ("atelectasis|collapsed lung", "a collapsed lung", ("bronchiectasis", "no collapsed lung", "telangiectasis")),
    ("HER2 positive|HER2+", "HER2+", ("HER2-", "HER2", "HER2 negative", "HER2−")),
    ("HER2 negative|HER2-", "HER2-", ("HER2+", "HER2", "HER2 positive")),
    ("grade 2", "Grade 2", ("grade 3", "grade 12", "grade", "2 grades", "grade -2", "grade 2+")),
    ("stage II", "stage ii", ("stage III", "stage I", "stage IIb", "stage 11")),
    ("T2-weighted", "T2 weighted", ("T1-weighted", "T2*-weighted", "T2", "non-T2-weighted")),
    ("< 5 mm|less than 5 mm", "less than 5 mm", ("> 5 mm", "5 mm", "more than 5 mm", "≥ 5 mm")),
    ("hypodense", "Hypodense", ("hyperdense", "isodense", "not hypodense", "hypo")),
    ("hypertension", "hypertension", ("hypotension", "hyper tension?", "prehypertension", "no hypertension")),
    ("left kidney|kidney_left", "kidney_left", ("right kidney", "kidney", "left kidneys and spleen", "left adrenal")),
    ("upper lobe", "the upper lobe", ("lower lobe", "upper limb", "lobe", "upper and lower lobe")),
    ("benign", "Benign", ("malignant", "not benign", "benign or malignant", "probably benign")),
    ("abnormal", "abnormal", ("normal", "not abnormal", "ab normal?", "normal or abnormal")),
    ("symptomatic", "Symptomatic", ("asymptomatic", "not symptomatic", "presymptomatic")),
    ("CT", "ct", ("MRI", "CTA", "not CT", "PET/CT", "CT or MRI")),
    ("no finding", "No finding", ("finding", "findings", "no findings excluded", "not no finding")),
    ("maybe", "Maybe", ("yes", "no", "maybe not", "maybe yes")),
)


def _others(names: Sequence[str], at: int, count: int) -> list[str]:
    """`count` other names, none of which holds the name itself or is held by it."""
    own = names[at].lower()
    apart = [n for n in (*names[at + 1 :], *names[:at]) if n.lower() not in own and own not in n.lower()]
    return apart[:count]


def mcq_cases() -> Iterator[Case]:
    for at in range(0, len(LABELS), 2):
        n = (4, 5, 4, 10, 4, 3)[at // 2 % 6]
        options, g = _others(LABELS, at, n - 1), (at // 2 * 3 + at // 8) % n
        options.insert(g, LABELS[at])
        letter, text = LETTERS[g], LABELS[at]
        o = LETTERS[(g + 1) % n]
        p = LETTERS[(g + 2) % n]
        other = options[(g + 1) % n]
        right: Cores = (
            ("letter", letter), ("round", f"({letter})"), ("square", f"[{letter}]"), ("stop_text", f"{letter}. {text}"),
            ("bracket_text", f"{letter}) {text}"), ("colon_text", f"{letter}: {text}"),
            ("round_text", f"({letter}) {text}"),
            ("option", f"option {letter}"), ("option_round", f"Option ({letter})"), ("choice", f"choice {letter}"),
            ("lower", f"={letter.lower()}"), ("lower_bracket", f"={letter.lower()})"),
            ("full_width", chr(ord(letter) + 0xFEE0)),
            ("because", f"=The answer is {letter}, because the picture shows it."),
            ("is_right", f"={letter} is correct."),
            ("option_is", f"=The correct option is {letter}."),
            ("option_is_right", f"=Option {letter} is the correct answer."),
            ("line", f"=The picture shows a dark area with a sharp edge.\n\n{letter}"), ("dash", f"={letter} - {text}"),
            ("text_then_more", f"={letter}. {text}\n\nThe other options do not fit the picture."),
            ("quotes", f'"{letter}"'), ("select", f"=I choose {letter}."), ("bold_text", f"=**{letter}. {text}**"),
            ("lower_named", f"=Answer: {letter.lower()}"),
        )  # fmt: skip
        every = LETTERS[:n]
        wrong: Cores = (
            ("letter_off", o), ("two_and", f"{letter} and {o}"), ("two_or", f"{letter} or {o}"),
            ("all_spaced", " ".join(every)),
            ("all_commas", ", ".join(every)), ("all_glued", every), ("not", f"not {letter}"),
            ("all_above", "All of the above"),
            ("letter_and_all", f"{letter}, or all of the above"), ("slash", f"{letter}/{o}"),
            ("beyond", LETTERS[n % 10] if n < 10 else "K"),
            ("vitamin", f"=Vitamin {letter}12"), ("other_text", f"{letter}. {other}"),
            ("lookalike", {"A": "А", "B": "В", "C": "С", "E": "Е", "H": "Н"}.get(letter, "Ω")),
            ("digit", str(g + 1)), ("two_lines", f"={letter}\n{o}"),
            ("echo", "=" + "\n".join(f"{a}. {b}" for a, b in zip(every, options, strict=True))),
            ("both", f"Both {letter} and {o}"), ("question", f"{letter}?"), ("maybe", f"maybe {letter}"),
            ("then", f"=First {letter}, then {o}."),
            ("any_of", f"any of {every[0]} to {every[-1]}"), ("text_off", f"{o}. {other}"),
            ("neither", f"neither {letter} nor {o}"),
            ("except", f"everything except {letter}"), ("named_twice", f"=Answer: {letter}\nAnswer: {o}"),
            ("three", f"{letter}, {o}, {p}"),
            ("is_wrong", f"={letter} is wrong."), ("instead", f"=Instead of {letter}, choose {o}."),
            ("none", "None of the above"),
            ("rather", f"={o} rather than {letter}"), ("unless", f"=Answer: {letter} unless it is {o}"),
        )  # fmt: skip
        listed = "|".join(options) if at % 6 else ""
        if not listed:
            wrong = tuple(w for w in wrong if w[0] not in ("other_text", "beyond"))
        yield Case(
            Answer("mcq", letter, "mcq", options=listed),
            (right[0], *right[1 + at // 2 % 2 :: 2]),
            wrong[at % 3 :: 3],
            o,
        )


def yes_no_cases() -> Iterator[Case]:
    for at, name in enumerate(LABELS):
        gold, other = ("yes", "no") if at % 2 else ("no", "yes")
        seen = "is seen" if gold == "yes" else "is not seen"
        thing = name.lower()
        right: Cores = (
            ("word", gold), ("capital", gold.capitalize()), ("upper", gold.upper()),
            ("sentence", f"={gold.capitalize()}, the {thing} {seen}."),
            ("dash", f"={gold.capitalize()} – the {thing} {seen}."), ("bang", f"={gold.capitalize()}!"),
            ("it", f"={gold.capitalize()}, it {'is' if gold == 'yes' else 'is not'}."),
            ("line", f"={gold.capitalize()}\nThe {thing} {seen}."),
            ("because", f"=The answer is {gold} because the {thing} {seen}."),
            ("wide", "".join(chr(ord(c) + 0xFEE0) for c in gold)), ("quotes", f"'{gold}'"),
            ("last", f"=I look at the {thing} once more. So: {gold}"),
            ("semicolon", f"={gold}; the {thing} {seen}"),
            ("bold_then", f"=**{gold.capitalize()}.** The {thing} {seen}."),
        )  # fmt: skip
        wrong: Cores = (
            ("word_off", other), ("sentence_off", f"={other.capitalize()}, that is how the {thing} looks."),
            ("both", "yes and no"), ("slash", "yes/no"), ("or", "yes or no"),
            ("not", f"not {gold}"), ("longer_word", "yesterday" if gold == "yes" else "nothing"), ("maybe", "maybe"),
            ("probably", f"probably {gold}"),
            ("would_not", f"=I would not say {gold}."), ("unsure", "=It is impossible to say."),
            ("implied", f"=The {thing} {seen}."),
            ("question", f"{gold}?"), ("turned", f"={gold.capitalize()}. On second thought, {other}."),
            ("spaced", f"= {' '.join(gold)}"),
            ("foreign", "si" if gold == "yes" else "non"), ("three", f"{gold} {gold} {other}"),
            ("echo", f"=Is the {thing} seen? Yes or no?"),
            ("denial", f"={gold.capitalize()} is wrong."), ("share", f"=50 % {gold}"),
            ("neither", "neither yes nor no"), ("unclear", "unclear"),
            ("opposite", f"=the opposite of {gold}"), ("if", f"={gold} if the film is good, {other} if it is not"),
            ("letter", gold[0]), ("number", "1"),
        )  # fmt: skip
        if gold == "no":
            wrong += (("no_doubt", f"=No doubt, the {thing} is seen."),
            ("no_question", f"=No question: the {thing} is there."),
                      ("not_only", f"=Not only the {thing} is seen"),
                      ("denied_no", f"=There is no reason to say no to the {thing}"))  # fmt: skip
        yield Case(Answer("yes_no", gold, "yes_no"), (right[0], *right[1 + at % 2 :: 2]), wrong[at % 3 :: 3], other)


def label_cases() -> Iterator[Case]:
    for at, name in enumerate(LABELS):
        low, other = name.lower(), _others(LABELS, at, 2)[0]
        right: Cores = (
            ("exact", name), ("lower", low), ("upper", name.upper()), ("article", f"the {low}"),
            ("underscore", low.replace(" ", "_")),
            ("it_is", f"=It is {low}."), ("shows", f"=The image shows {low}."), ("diagnosis", f"=Diagnosis: {name}"),
            ("label", f"=The label is {low}."),
            ("this_is", f"=This is the {low}."), ("spaces", low.replace(" ", "  ")), ("quotes", f'"{name}"'),
            ("explained", f"=The answer is {low}. The edges and the density fit."),
            ("title", name.title()), ("finding", f"=Finding: {low}."), ("wide_stop", f"{name}．"),
        )  # fmt: skip
        if name in COUNTED:
            right += (("plural", COUNTED[name]),)
        wrong: Cores = (
            ("off", other), ("not", f"not {low}"), ("no", f"no {low}"), ("no_evidence", f"no evidence of {low}"),
            ("without", f"without {low}"),
            ("possible", f"possible {low}"), ("suspected", f"suspected {low}"), ("question", f"{low}?"),
            ("cannot_exclude", f"=Cannot exclude {low}."),
            ("ruled_out", f"={name} is ruled out."), ("absent", f"={name} is absent."),
            ("and", f"{low} and {other.lower()}"), ("or", f"{low} or {other.lower()}"),
            ("non", f"non-{low}"), ("list", ", ".join((name, *_others(LABELS, at, 5)))), ("like", f"{low}-like"),
            ("history", f"history of {low}"),
            ("risk", f"=There is a risk of {low}."), ("unlikely", f"={name} is unlikely."),
            ("there_is_no", f"=There is no {low} in the image."),
            ("it_is_not", f"=It is not {low}."), ("excluded", f"={name} has been excluded."),
            ("half", low[: len(low) // 2]), ("repeat", " ".join([low] * 4)),
            ("rather", f"={other} rather than {low}"), ("likely", f"likely {low}"),
            ("differential", f"={name} vs. {other.lower()}"), ("negative", f"=negative for {low}"),
            ("isnt", f"=This isn't {low}."), ("neither", f"=neither {low} nor {other.lower()}"),
            ("something", f"=something other than {low}"),
        )  # fmt: skip
        yield Case(Answer("label", name, "label"), (right[0], *right[1 + at % 2 :: 2]), wrong[at % 3 :: 3], other)
    for gold, same, apart in TWINS:
        first = gold.partition("|")[0]
        yield Case(
            Answer("label", gold, "label"),
            (("twin_gold", first), ("twin", same)),
            tuple((f"twin_trap_{k % 3}", a) for k, a in enumerate(apart)),
            "gastric ulcer",
        )


def _side_forms(side: str, organ: str) -> tuple[tuple[str, str], ...]:
    if side == "bilateral":
        return (("word", "bilateral"), ("adverb", "bilaterally"), ("both_sides", "both sides"),
        ("on_both", "on both sides"),
                ("organ", f"=Both {organ}s."), ("upper", "BILATERAL"), ("capital", "Bilateral"),
                ("lies", "=They lie on both sides."))  # fmt: skip
    if side == "midline":
        return (("word", "midline"), ("in", "in the midline"), ("the", "the midline"), ("upper", "MIDLINE"),
        ("capital", "Midline"),
                ("lies", "=It lies in the midline."), ("along", "=It lies along the midline."))  # fmt: skip
    return (
        ("word", side), ("capital", side.capitalize()), ("upper", side.upper()), ("the_side", f"the {side} side"),
        ("on", f"on the {side}"),
        ("sided", f"{side}-sided"), ("patient", f"the patient's {side}"), ("organ", f"=The {side} {organ}."),
        ("lies", f"=It lies on the {side} side."),
        ("letter", side[0].upper()), ("organ_seen", f"=The {organ} on the {side} side is marked."),
        ("side", f"{side} side"),
        ("patient_side", f"=On the patient's {side} side."), ("hemi", f"=in the {side} half of the body"),
    )  # fmt: skip


def side_cases() -> Iterator[Case]:
    organs = sorted(
        {
            n.removesuffix("_left").removesuffix("_right").replace("_", " ")
            for n in FACTS["volumes"]
            if n.endswith(("_left", "_right"))
        }
    )
    organs += ["breast", "hip", "eye", "temporal lobe", "femoral head", "hilum", "lung base"]
    for at, organ in enumerate(organs):
        for side in ("left", "right", "bilateral", "midline"):
            flips = [s for s in ("left", "right", "bilateral", "midline") if s != side]
            wrong = [
                (f"flip_{family}", text) for flip in flips for family, text in _side_forms(flip, organ)[at % 2 :: 2]
            ]
            one = side if side in ("left", "right") else "left"
            two = "right" if one == "left" else "left"
            traps = (
                ("either", "left or right"), ("not", f"not {side}"), ("image_side", f"the {one} side of the image"),
                ("viewer", f"the viewer's {one}"),
                ("possibly", f"possibly {side}"), ("contralateral", "contralateral"),
                ("opposite", f"the opposite of {side}"), ("both_named", f"{one}, {two}"),
                ("more_than", f"={one} more than {two}"), ("unknown", "unknown"),
                ("picture", f"=on the {one} of the picture"), ("longer", "leftover"),
                ("not_on", f"=It is not on the {one} side."), ("all", "left, right, bilateral, midline"),
                ("up", "superior"), ("question", f"{side}?"),
                ("screen", f"=The {one} side of the screen."), ("other_than", f"other than {side}"),
                ("one_not", f"=not the {two} but perhaps the {one}"),
            )  # fmt: skip
            right = _side_forms(side, organ)
            yield Case(
                Answer("side", side, "side"),
                (right[0], *right[1 + at % 2 :: 2]),
                (*wrong, *traps[at % 2 :: 2]),
                flips[at % 3],
            )


def set_cases() -> Iterator[Case]:
    names = [n.replace("_", " ") for n in FACTS["volumes"]]
    for at in range(len(names)):
        size = 2 + at % 4
        own = [names[(at * 5 + k * 7) % len(names)] for k in range(size)]
        extra = next(n for n in names if n not in own)
        lines, cap = "\n".join(f"- {n}" for n in own), [n.capitalize() for n in own]
        right: Cores = (
            ("commas", ", ".join(own)), ("semicolons", "; ".join(own)),
            ("and", f"{', '.join(own[:-1])} and {own[-1]}"), ("bullets", "\n" + lines),
            ("numbered", "\n" + "\n".join(f"{k + 1}. {n}" for k, n in enumerate(own))),
            ("turned", ", ".join(own[::-1])), ("capitals", ", ".join(cap)),
            ("oxford", f"{', '.join(own[:-1])}, and {own[-1]}"), ("the", ", ".join(f"the {n}" for n in own)),
            ("stars", "=" + "\n".join(f"* {n}" for n in own)),
            ("lead", f"=The structures are: {', '.join(own)}."), ("brackets", f"[{', '.join(own)}]"),
        )  # fmt: skip
        wrong: Cores = (
            ("missing", ", ".join(own[:-1])), ("extra", ", ".join([*own, extra])), ("all", ", ".join(names)),
            ("negated", f"{', '.join(own[:-1])}, no {own[-1]}"),
            ("or", f"{', '.join(own[:-1])} or {own[-1]}"), ("replaced", ", ".join([*own[:-1], extra])),
            ("but_not", f"{', '.join(own[:-1])} but not {own[-1]}"),
            ("repeated", ", ".join(own * 3)), ("except", f"everything except {own[0]}"),
            ("possible", f"{', '.join(own[:-1])}, possible {own[-1]}"),
            ("none", "none"), ("all_word", "all of them"), ("doubled", ", ".join([own[0], *own])),
            ("glued", " ".join(own)),
        )  # fmt: skip
        yield Case(Answer("set", "; ".join(own), "set"), right, wrong, f"{extra}, {own[0]}")
    for at in range(0, len(names), 3):
        own = [names[(at + k) % len(names)] for k in range(5)]
        others = [n for n in names if n not in own]
        right = (
            ("all_five", ", ".join(own)),
            ("four", ", ".join(own[:4])),
            ("five_and_one", ", ".join([*own, others[0]])),
        )
        wrong = (
            ("two", ", ".join(own[:2])),
            ("five_and_five", ", ".join([*own, *others[:5]])),
            ("three_and_two", ", ".join([*own[:3], *others[:2]])),
        )
        yield Case(Answer("set", "; ".join(own), "set", tolerance=0.15), right, wrong, ", ".join(others[:5]))
    same = Answer("set", "pleural effusion|effusion; nodule|pulmonary nodule", "set")
    yield Case(same, (("synonyms", "effusion, nodule"), ("synonyms_2", "pulmonary nodule and pleural effusion"),
    ("plurals", "effusions; nodules")),
               (("synonym_twice", "effusion, pleural effusion"),
               ("synonym_only", "nodule")), "mass, effusion")  # fmt: skip


def list_cases() -> Iterator[Case]:
    volumes = FACTS["volumes"]
    names = sorted(volumes, key=lambda n: -volumes[n])
    for at in range(len(names) - 6):
        own = [names[at + k * (1 + at % 2)].replace("_", " ") for k in range(3 + at % 2)]
        turned = [own[1], own[0], *own[2:]]
        right: Cores = (
            ("commas", ", ".join(own)), ("arrows", " -> ".join(own)), ("arrow_signs", " → ".join(own)),
            ("numbered", "\n" + "\n".join(f"{k + 1}. {n}" for k, n in enumerate(own))),
            ("numbered_inline", " ".join(f"{k + 1}) {n}" for k, n in enumerate(own))), ("then", ", then ".join(own)),
            ("greater", " > ".join(own)),
            ("and", f"{', '.join(own[:-1])} and {own[-1]}"), ("semicolons", "; ".join(own)),
            ("bullets", "=" + "\n".join(f"- {n}" for n in own)),
            ("lead", f"=From the largest to the smallest: {', '.join(own)}."),
            ("capitals", ", ".join(n.capitalize() for n in own)),
        )  # fmt: skip
        wrong: Cores = (
            ("turned", ", ".join(turned)), ("reversed", ", ".join(own[::-1])), ("missing", ", ".join(own[:-1])),
            ("extra", ", ".join([*own, "brain"])),
            ("misnumbered", " ".join(f"{len(own) - k}) {n}" for k, n in enumerate(own))),
            ("any_order", f"{', '.join(own)} in any order"), ("less", " < ".join(own)),
            ("repeated", ", ".join(own * 2)), ("negated", ", ".join([*own[:-1], f"no {own[-1]}"])),
            ("equal", " = ".join(own)), ("or", " or ".join(own)),
            ("replaced", ", ".join(["brain", *own[1:]])), ("one", own[0]),
            ("reverse_word", f"the reverse of {', '.join(own)}"),
            ("two_orders", f"{', '.join(own)} or {', '.join(turned)}"),
        )  # fmt: skip
        yield Case(Answer("ordered_list", "; ".join(own), "ordered_list"), right, wrong, ", ".join(turned))


def span_cases() -> Iterator[Case]:
    flips = {
        "left": "right",
        "right": "left",
        "Left": "Right",
        "Right": "Left",
        "not": "",
        "posterior": "anterior",
        "anterior": "posterior",
    }
    spans = FACTS["spans"][::2]
    for at, span in enumerate(spans):
        words = span.split()
        other = spans[(at + 3) % len(spans)]
        right: Cores = (
            ("exact", span), ("quotes", f'"{span}"'), ("curly", f"“{span}”"), ("spaces", "  ".join(words)),
            ("broken", "\n".join([" ".join(words[:3]), " ".join(words[3:])])),
            ("says", f'=The text says: "{span}"'), ("lower", span.lower()), ("guillemets", f"«{span}»"),
            ("no_break", span.replace(" ", "\u00a0")),
        )  # fmt: skip
        flipped = " ".join(flips.get(w, w) for w in words).replace("  ", " ")
        wrong = [
            ("dropped", " ".join(words[:2] + words[3:])), ("truncated", " ".join(words[:-1])),
            ("extended", f"{span} and more of it"), ("turned", " ".join(words[::-1])),
            ("replaced", " ".join(["every", *words[1:]])), ("not_first", f"not {span}"),
            ("denied_in", " ".join([*words[:2], "not", *words[2:]])),
            ("twice", f"{span} {span}"), ("initials", " ".join(w[0] for w in words)),
            ("dots", f"{words[0]} ... {words[-1]}"), ("with_other", f"{span}; {other}"),
        ]  # fmt: skip
        if flipped != span:
            wrong.append(("flipped", flipped))
        if any(ch.isdigit() for ch in span):
            wrong.append(("digits", "".join(str((int(ch) + 1) % 10) if ch.isdigit() else ch for ch in span)))
        yield Case(Answer("span", span, "span"), right, tuple(wrong), other)


def pairs() -> Iterator[Pair]:
    yield from pairs_of(list(mcq_cases()), 5, 4)
    yield from pairs_of(list(yes_no_cases()), 5, 4)
    yield from pairs_of(list(label_cases()), 4, 4)
    yield from pairs_of(list(side_cases()), 4, 3)
    yield from pairs_of(list(set_cases()), 4, 3)
    yield from pairs_of(list(list_cases()), 4, 4)
    yield from pairs_of(list(span_cases()), 3, 3)
