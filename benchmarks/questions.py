"""Whether the questions that programs ask can be answered without looking: wordings, letters, lengths, blind solvers.

    python -m benchmarks.questions --data ../shared/data [--seeds 4] [--blind 200] [--write]

Real records of the shared data and of installed packages are prepared and presented as `curate run` does it; then
`measure` and `mcq` ask each of them with several seeds. Solvers that see no media are tried on the four-option prompts
for rewards: rules (the longest, the middle value, the most frequent letter), a prior that is learned on half of the
records (per family and structure the typical value, else the most frequent right words), and the model that ships with
the demo (`synth.teacher.EmbeddedConfig`), constrained to one letter. ICD-10-CM titles have no media; they stand apart.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import importlib.util
import itertools
import json
import re
import shutil
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks import report
from curate.present import read_presented
from curate.recipe import load
from curate.run import Options, run
from curate.synthesize import member_reader
from curate.view import view_of
from manifests.record import Fact, Record
from manifests.sample import Draft
from synth.chat import Request
from synth.proofs import MediaView, parse_call
from synth.tasks import mcq, measure
from synth.tasks.mcq import Mcq
from synth.tasks.measure import Measure
from synth.tasks.phrases import QUESTIONS, STEMS
from synth.teacher import EmbeddedConfig, available, open_teacher

MASKED = (
    "spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas", "adrenal_gland_right",
    "adrenal_gland_left", "lung_upper_lobe_left", "lung_lower_lobe_left", "lung_lower_lobe_right", "small_bowel",
    "duodenum", "colon", "vertebrae_L2", "vertebrae_L1", "vertebrae_T12", "vertebrae_T11", "aorta",
    "inferior_vena_cava", "portal_vein_and_splenic_vein", "spinal_cord", "autochthon_left", "autochthon_right",
    "iliopsoas_left", "iliopsoas_right", "rib_left_7", "rib_left_8", "rib_left_9", "rib_left_10", "rib_left_11",
    "rib_left_12", "rib_right_7", "rib_right_8", "rib_right_9", "rib_right_10", "rib_right_11", "rib_right_12",
    "costal_cartilages",
)  # fmt: skip
MR_LABELS = {
    1: "spleen", 2: "kidney_right", 3: "kidney_left", 4: "gallbladder", 5: "liver", 6: "stomach", 7: "pancreas",
    8: "adrenal_gland_right", 9: "adrenal_gland_left", 13: "small_bowel", 14: "duodenum", 15: "colon",
    21: "spinal_cord", 23: "aorta", 24: "inferior_vena_cava", 25: "portal_vein_and_splenic_vein",
}  # fmt: skip
TEXT_FAMILIES = ("code", "chapter")  # of records that have no media
CHANCE = 0.25
ASKED = 24  # questions a record, each seed
CODES = 10  # entries of each chapter


@dataclass(frozen=True, slots=True)
class Item:
    """One multiple-choice prompt for rewards."""

    record: str
    family: str
    about: tuple[str, ...]
    prompt: str
    options: tuple[str, ...]
    gold: int


# --- records ---------------------------------------------------------------------------------------------------------


def sources(data: Path, work: Path) -> list[dict[str, Any]]:
    """The recipe's sources; what our sources cannot read in place is copied beside a table."""
    ct, mr, skin = data / "ct-totalsegmentator", work / "mr", work / "skin"
    for folder, file in (("imagesTr", "example_mr_sm.nii.gz"), ("labelsTr", "example_seg_mr.nii.gz")):
        (mr / folder).mkdir(parents=True)
        shutil.copy(ct / file, mr / folder / "case.nii.gz")
    skin.mkdir()
    with (skin / "table.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image", "label"])
        for path in sorted((data / "dermoscopy-isic").glob("*.metadata.json")):
            name = path.name.replace(".metadata.json", ".jpg")
            shutil.copy(path.with_name(name), skin / name)
            rows.writerow([name, json.loads(path.read_text())["meta"]["clinical"]["diagnosis"]])
    masks = {name: f"example_seg_fast/{name}.nii.gz" for name in MASKED}
    brain = {"grey matter": "gm", "white matter": "wm"}
    return [
        {"source": "nifti_masks", "name": "ct", "root": str(ct), "images": ["example_ct_sm.nii.gz"], "masks": masks,
         "facts": {"modality": "CT", "body_part": "abdomen"}},
        {"source": "nifti_masks", "name": "mr", "root": str(mr), "labels": MR_LABELS, "facts": {"modality": "MR"}},
        {"source": "nifti_masks", "name": "brain", "root": "package:nilearn/datasets/data", "threshold": 128,
         "images": ["mni_icbm152_t1_*"], "facts": {"modality": "MR", "body_part": "brain"},
         "masks": {k: f"mni_icbm152_{v}_tal_nlin_sym_09a_converted.nii.gz" for k, v in brain.items()}},
        {"source": "image_table", "name": "cxr", "root": str(data / "cxr-covid-hannover"), "table": "data.subset.csv",
         "image": "png/{image_id}.png", "group": "patient_id", "labels": ["projection"],
         "facts": {"modality": "CR", "body_part": "chest"}},
        {"source": "image_table", "name": "mammography", "root": str(data / "mammography-monai"),
         "class_from_folder": True, "facts": {"modality": "MG"}},
        {"source": "image_table", "name": "skin", "root": str(skin), "table": "table.csv", "labels": ["label"],
         "facts": {"modality": "DMS"}},
        {"source": "image_table", "name": "fundus", "root": str(data / "fundus-chasedb1"), "facts": {"modality": "OP"}},
        {"source": "video_table", "name": "us", "root": str(data / "us-lung-video-pocovid"),
         "facts": {"modality": "US"}},
        {"source": "video_table", "name": "endoscopy", "root": str(data / "video-endoscopy-hyperkvasir-ninja"),
         "facts": {"modality": "ES"}},
        {"source": "dicom_tree", "name": "head", "root": str(data / "dicom-ct-head-slicer")},
    ]  # fmt: skip


def records(data: Path, work: Path) -> list[tuple[Record, MediaView, bool]]:
    """(record, what is shown of it, whether that is in HU) of everything that is kept."""
    keep = {"faces": {"keep": "licensed test data"}, "burned_in": {"keep": "licensed test data"}}
    recipe = {
        "name": "questions",
        "sources": sources(data, work),
        "deidentify": keep,
        "limits": {"failed": 1.0},
        "render": {"volume": "canonical", "video": {"fps": 8, "max_frames": 32}},
        "tasks": ["source_text"],
    }
    (work / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    loaded, folder = load(str(work / "recipe.yaml"), ())
    out = work / "out"
    run(loaded, Options(out=out, work=out / ".work", recipe_folder=folder, workers=0, quiet=True))
    found = []
    for done in sorted((out / ".work/units/present").glob("*/*/done.json")):
        for one in read_presented(out / ".work", done.parent.name):
            said = one.record.text, one.record.asked
            view = view_of(one.media, member_reader(one, out / ".work"), one.record.facts, *said)
            found.append((one.record, view, any(m.kind == "volume" and m.units == "HU" for m in one.media)))
    return [*sorted(found, key=lambda one: one[0].key), *codes()]


def codes() -> list[tuple[Record, MediaView, bool]]:
    """Entries of every chapter of the ICD-10-CM tabular list that simple_icd_10_cm carries."""
    spec = importlib.util.find_spec("simple_icd_10_cm")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        return []
    tree = ET.parse(Path(folders[0]) / "data/icd10c-tabular-April-1-2026.xml")
    found = []
    for chapter in tree.getroot().findall("chapter"):
        for diag in itertools.islice(chapter.iter("diag"), CODES):
            told = {"code": diag.findtext("name"), "title": diag.findtext("desc"), "chapter": chapter.findtext("desc")}
            facts = tuple(Fact(name, value or "", "icd10cm") for name, value in told.items())
            key = hashlib.sha256(f"{told['code']}".encode()).hexdigest()[:32]
            view = MediaView((), lambda member: np.zeros(0), facts)
            found.append((_record(key, facts), view, False))
    return found


def _record(key: str, facts: tuple[Fact, ...]) -> Record:
    return Record(
        key=key, source="icd10cm", uri="", upstream_id=key, sha256="0" * 64, kind="text", group=key,
        licence="LicenseRef-public-domain", access="open", media=(), facts=facts,
    )  # fmt: skip


def classes(found: Sequence[tuple[Record, MediaView, bool]]) -> dict[str, tuple[str, ...]]:
    """All labels of each source: what a recipe would write under `labels`."""
    labels: dict[str, set[str]] = defaultdict(set)
    for record, view, _ in found:
        labels[record.source] |= {f.value for f in view.facts if f.name == "label" and not f.about}
    return {source: tuple(sorted(values)) for source, values in labels.items()}


def family_of(call: str) -> str:
    """The family of wordings that a call is asked with."""
    parsed = parse_call(call)
    args = dict(parsed.args)
    if parsed.name == "relation":
        return "place" if "+" in args["along"] else f"relation_{args['along'].replace('-', '_')}"
    return args["fact"] if parsed.name == "label" else parsed.name


# --- tricks ----------------------------------------------------------------------------------------------------------


def items_of(drafts: Iterable[Draft]) -> list[Item]:
    found = []
    for draft in drafts:
        if draft.task == "mcq" and draft.stage == "rlvr" and draft.answer is not None and draft.accepted:
            prompt = draft.turns[0].content
            options = tuple(text for _, text in re.findall(r"^([A-E])\. (.*)$", prompt, re.MULTILINE))
            call = draft.proofs[0].call
            about = tuple(value for name, value in parse_call(call).args if name != "fact")
            found.append(Item(draft.key, family_of(call), about, prompt, options, "ABCDE".index(draft.answer.gold)))
    return found


def numbers(item: Item) -> list[float] | None:
    """The options as numbers, ranges by their first slice; None where they are words."""
    found = [re.match(r"-?\d+(?:\.\d+)?(?=$|-\d)", option) for option in item.options]
    return [float(match[0]) for match in found if match] if all(found) else None


def longest(item: Item) -> float:
    """What always taking the longest option earns, ties shared."""
    sizes = [len(option) for option in item.options]
    return (sizes[item.gold] == max(sizes)) / sizes.count(max(sizes))


def middle(item: Item) -> float:
    """What taking one of the two middle values earns; chance where options are no numbers."""
    values = numbers(item)
    if values is None:
        return 1 / len(item.options)
    rank = sorted(values).index(values[item.gold])
    return 0.5 if rank in ((len(values) - 1) // 2, len(values) // 2) else 0.0


def uniform_p(values: Sequence[int], count: int) -> float:
    """p of the chi-square test that values 0..count-1 are uniform."""
    from scipy.stats import chisquare

    return float(chisquare([list(values).count(k) for k in range(count)]).pvalue)


def prior(items: Sequence[Item]) -> Callable[[Item], int]:
    """A solver that has seen other records with their answers: typical values by family and structure, else the words
    that are right most often by family, else the rank."""
    typical: dict[tuple[str, ...], list[float]] = defaultdict(list)
    right: Counter[tuple[str, str]] = Counter()
    shown: Counter[tuple[str, str]] = Counter()
    ranks: dict[str, Counter[int]] = defaultdict(Counter)
    for item in items:
        values = numbers(item)
        if values is not None:
            typical[(item.family, *item.about)].append(values[item.gold])
            ranks[item.family][sorted(values).index(values[item.gold])] += 1
        for at, option in enumerate(item.options):
            shown[(item.family, option)] += 1
            right[(item.family, option)] += at == item.gold

    def solve(item: Item) -> int:
        values = numbers(item)
        if values is None:
            odds = [(right[(item.family, o)] + CHANCE) / (shown[(item.family, o)] + 1) for o in item.options]
            return odds.index(max(odds))
        known = typical.get((item.family, *item.about))
        if known:
            mean = sum(known) / len(known)
            return min(range(len(values)), key=lambda at: abs(values[at] - mean))
        rank = ranks[item.family].most_common(1)[0][0] if ranks[item.family] else 0
        return values.index(sorted(values)[min(rank, len(values) - 1)])

    return solve


def learned(items: Sequence[Item]) -> list[tuple[Item, bool]]:
    """Each item of a record with whether the prior of the other half of the records solves it."""
    half = {item.record: int(hashlib.sha256(item.record.encode()).hexdigest(), 16) % 2 for item in items}
    solvers = [prior([item for item in items if half[item.record] != side]) for side in (0, 1)]
    return [(item, solvers[half[item.record]](item) == item.gold) for item in items]


def blind(items: Sequence[Item], most: int) -> tuple[list[tuple[Item, bool]], Counter[str], str]:
    """The embedded model on some of the items, spread over families; its letters, and which model it is."""
    config = EmbeddedConfig()
    if available(config):
        return [], Counter(), available(config)
    teacher = open_teacher(config)
    families = sorted({item.family for item in items})
    order = sorted(items, key=lambda item: hashlib.sha256(f"{item.record}{item.prompt}".encode()).hexdigest())
    each = {family: [item for item in order if item.family == family] for family in families}
    turns = [one[at] for at in range(max(map(len, each.values()))) for one in each.values() if at < len(one)]
    found, said = [], Counter[str]()
    for item in turns[:most]:
        letters = list("ABCDE"[: len(item.options)])
        schema = {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": letters}},
            "required": ["answer"],
            "additionalProperties": False,
        }
        told = "You answer multiple-choice questions about a medical examination. Reply with the letter as JSON."
        messages = (("system", told), ("user", item.prompt))
        reply = teacher.ask(Request(messages, "benchmarks.questions@1", json.dumps(schema), 16))
        letter = json.loads(reply.text)["answer"]
        said[letter] += 1
        found.append((item, letter == "ABCDE"[item.gold]))
    teacher.close()
    return found, said, teacher.model


# --- report ----------------------------------------------------------------------------------------------------------


def used(texts: Sequence[str], wordings: Sequence[str]) -> int:
    """How many of a family's wordings occur in its questions."""
    patterns = [re.compile(re.sub(r"\\\{\w+\\\}", ".+?", re.escape(wording))) for wording in wordings]
    return sum(any(pattern.match(text) for text in texts) for pattern in patterns)


def asked(drafts: Iterable[Draft]) -> dict[str, list[str]]:
    """The questions of conversations by family: open ones (`volume_ml`) and with options (`volume_ml, options`)."""
    found: dict[str, list[str]] = defaultdict(list)
    for draft in drafts:
        if draft.stage == "sft":
            for proof in draft.proofs:
                options = ", options" if draft.task == "mcq" else ""
                found[family_of(proof.call) + options].append(draft.turns[proof.turn - 1].content)
    return found


def wordings_table(drafts: Sequence[Draft]) -> str:
    rows = ["| family | questions | distinct texts | wordings met | an example |", "|---|---|---|---|---|"]
    for family, texts in sorted(asked(drafts).items()):
        name = family.removesuffix(", options")
        table = STEMS[name] if name != family else QUESTIONS[name]
        example = min(texts, key=lambda text: hashlib.sha256(text.encode()).hexdigest()).split("\n")[0]
        rows.append(
            f"| {family} | {len(texts)} | {len(set(texts))} | {used(texts, table)} of {len(table)} | {example} |"
        )
    return "\n".join(rows)


def share(values: Sequence[float]) -> str:
    return f"{100 * sum(values) / len(values):.1f} %" if values else ""


def tricks_table(items: Sequence[Item], model: Sequence[tuple[Item, bool]]) -> str:
    """Per family what the solvers earn; four options, so 25 % is chance."""
    known = learned(items)
    rows = [
        "| family | prompts | longest | middle value | prior of other records | embedded model |",
        "|---|---|---|---|---|---|",
    ]
    for family in [*sorted({item.family for item in items}), "all"]:
        mine = [item for item in items if family in (item.family, "all")]
        told = [ok for item, ok in known if family in (item.family, "all")]
        said = [ok for item, ok in model if family in (item.family, "all")]
        blind_share = f"{share(said)} of {len(said)}" if said else ""
        rows.append(
            f"| {family} | {len(mine)} | {share([longest(item) for item in mine])} | "
            f"{share([middle(item) for item in mine])} | {share(told)} | {blind_share} |"
        )
    return "\n".join(rows)


def summary(items: Sequence[Item]) -> str:
    letters = [item.gold for item in items]
    counts = ", ".join(f"{letter} {letters.count(at)}" for at, letter in enumerate("ABCD"))
    ranked = [sorted(v).index(v[item.gold]) for item in items if (v := numbers(item)) is not None]
    rank = f" Rank of the right number among the four: p = {uniform_p(ranked, 4):.2f}." if ranked else ""
    bias = 100 * (sum(map(longest, items)) / len(items) - CHANCE)
    top = max(letters.count(at) for at in range(4)) / len(letters)
    return (
        f"Letters of {len(items)} prompts: {counts} (chi-square p = {uniform_p(letters, 4):.2f}; always the most "
        f"frequent letter solves {100 * top:.1f} %).{rank} "
        f"Always the longest option: {bias:+.1f} points against chance."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--blind", type=int, default=200)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = records(arguments.data.resolve(), Path(folder))
        labels, drafts = classes(found), []
        for record, view, hounsfield in found:
            for seed in range(arguments.seeds):
                many = Measure(max_questions=ASKED, intensity=hounsfield)
                chosen = Mcq(max_questions=ASKED, intensity=hounsfield, labels=labels.get(record.source, ()))
                drafts += [*measure.drafts(record, view, many, seed), *mcq.drafts(record, view, chosen, seed)]
    items = [item for item in items_of(drafts) if len(item.options) == 4]
    seen = [item for item in items if item.family not in TEXT_FAMILIES]
    coded = [item for item in items if item.family in TEXT_FAMILIES]
    model, said, name = blind(seen, arguments.blind)
    on_codes, _, _ = blind(coded, arguments.blind // 4)
    kinds = Counter(record.kind for record, _, _ in found)
    head = f"{len(found)} records ({', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}), "
    head += f"{arguments.seeds} seeds, {len(drafts)} drafts, {sum(not d.accepted for d in drafts)} of them refused."
    letters = ", ".join(f"{letter} {n}" for letter, n in sorted(said.items()))
    parts = (
        head,
        wordings_table(drafts),
        f"Four-option prompts for rewards about media, the media withheld; {name} said {letters}:",
        tricks_table(seen, model),
        summary(seen),
        "Entries of ICD-10-CM, which have no media (knowing the classification is the task):",
        tricks_table(coded, on_codes),
        summary(coded),
        report.machine(("numpy", "xllamacpp", "scipy")),
    )
    text = "\n\n".join(parts)
    print(text)
    if arguments.write:
        report.write("questions", text)


if __name__ == "__main__":
    main()
