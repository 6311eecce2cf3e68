"""Tool trajectories in the form of Ophiuchus: the assistant zooms, segments and measures before it answers.

A call is `<think>..</think>` and `<tool_call>{"name": .., "arguments": {..}}</tool_call>`; its result is the next user
turn, `<tool_response>{..}</tool_response>`, with `<image>` where it is a picture; the last turn has `<answer>`. Nothing
is made up: a zoom's picture is a proven crop that holds the whole target, a segmentation is the sample's own mask in
the picture, a measurement a program's value, and so is the answer. All boxes are pixels of the first picture. For
rewards the prompt names the tools and how many calls are allowed. Not covered: tools that fail, and wrong turns.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from manifests.config import Config
from manifests.errors import VerificationError
from manifests.record import Record
from manifests.sample import Answer, Draft, Made, Proof, Turn
from synth.calls import call_text
from synth.media_words import QUESTIONS
from synth.phrases import lines
from synth.picture_programs import Box, box_text
from synth.pictures import crop_of, made_picture, picture, with_pictures
from synth.proofs import MediaView, prove
from synth.tasks.common import finish, for_gold, pick, seeded, shuffled
from synth.tasks.scenes import Scene, scenes
from synth.verify import no_leak

TOOLS = """You can use these tools, one call at a time:
- zoom(image, bbox_2d): the part of an image inside bbox_2d = [x0, y0, x1, y1], enlarged.
- segment(image, target): the bounding box and the number of pixels of a named structure.
- measure(image, target, quantity): a quantity of a named structure: area_mm2, width_mm or height_mm.
Boxes are in pixels of the first image. Write a call as <tool_call>{"name": ..., "arguments": {...}}</tool_call>."""
LIMIT = "Use at most {n} tool calls, then give the final answer inside <answer></answer>."
PLANS = ("area", "width", "pixels", "larger", "box")
_SIDE = 224  # pixels to which the longer side of a zoom is enlarged, if a whole factor up to 8 does it
_MOST = 512
_CLOSER = 0.6  # the share of the picture beyond which a crop is no closer look
_UNITS: Mapping[str, str] = MappingProxyType({"mm2": "mm²", "mm": "mm", "": ""})

_THOUGHTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "zoom": lines(
            """
            The question is about the {a}. I look closer at the {p} of the picture.
            To judge the {a}, I first enlarge the {p}, where it lies.
            The {a} is in the {p} of the picture; I zoom in there.
            Let me take a closer look at the {p}, around the {a}.
            Before measuring anything I want to see the {a} in detail, so I zoom in on the {p}.
            """
        ),
        "segment": lines(
            """
            Now I need the outline of the {a}.
            I have the {a} segmented to know its extent.
            Next step: segment the {a}.
            A segmentation tells exactly which pixels belong to the {a}.
            The extent of the {a} is best read from its mask.
            """
        ),
        "measure": lines(
            """
            With the {a} outlined, I can have it measured.
            What remains is the measurement of the {a}.
            The pixel size of the picture is known, so I measure the {a}.
            I call the measuring tool for the {a}.
            """
        ),
        "check": lines(
            """
            I check the box of the {a} by looking at that part of the picture.
            To be sure that the box fits the {a}, I zoom in on it.
            Let me verify the box of the {a} with a closer look.
            A look at the enlarged region shows whether the box holds the {a}.
            """
        ),
        "number": lines(
            """
            The tool gives {v} for the {a}.
            That answers the question about the {a}: {v}.
            The result for the {a} is {v}.
            So the value for the {a} is {v}.
            """
        ),
        "larger": lines(
            """
            Comparing the pixels of the {a} and the {b}, the {v} is the larger one.
            I have the counts of the {a} and the {b}: the {v} has more pixels.
            Of the two counts, for the {a} and for the {b}, that of the {v} is higher.
            """
        ),
        "box_answer": lines(
            """
            The box {v} encloses the {a}.
            The {a} is inside {v}.
            The segmentation of the {a} spans {v}.
            """
        ),
    }
)


class Tools(Config):
    """`trajectories` per picture, of `pictures` per record; `max_steps`: calls that a prompt for rewards allows."""

    task: Literal["tools"] = "tools"
    pictures: int = Field(default=1, ge=1, le=8)
    trajectories: int = Field(default=2, ge=1, le=8)
    max_steps: int = Field(default=6, ge=3, le=16)
    min_side: int = Field(default=8, ge=2)
    tolerance: float = Field(default=0.05, ge=0, lt=1)
    box_overlap: float = Field(default=0.5, gt=0, le=1)


@dataclass
class _Path:
    """A trajectory being written: its turns, their proofs, the pictures that zooms made, and a view with all these."""

    record: Record
    scene: Scene
    seed: int
    plan: str
    view: MediaView
    turns: list[Turn] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)
    made: list[Made] = field(default_factory=list)

    def thought(self, kind: str, words: Mapping[str, str]) -> str:
        key = (self.record.key, self.scene.member, self.plan, str(len(self.turns)))
        return pick(_THOUGHTS[kind], self.seed, *key).format(**words)

    def prove(self, name: str, args: Mapping[str, str], turn: int | None = None) -> Proof:
        """A proof of what the next turn, or another one, says."""
        proof = prove(call_text(name, args), self.view, len(self.turns) if turn is None else turn)
        self.proofs.append(proof)
        return proof

    def call(self, thought: str, name: str, arguments: Mapping[str, Any]) -> None:
        told = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
        self.turns.append(Turn("assistant", f"<think>{thought}</think>\n<tool_call>{told}</tool_call>"))

    def respond(self, result: Mapping[str, Any], image: bool = False) -> None:
        told = f"<tool_response>{json.dumps(result, ensure_ascii=False)}</tool_response>"
        self.turns.append(Turn("user", f"{told}\n<image>" if image else told))

    def answer(self, thought: str, answer: str) -> None:
        self.turns.append(Turn("assistant", f"<think>{thought}</think>\n<answer>{answer}</answer>"))


def drafts(record: Record, view: MediaView, config: Tools, seed: int) -> list[Draft]:
    """Per trajectory one conversation (sft) and the same question as a prompt (rlvr)."""
    out: list[Draft] = []
    for scene in scenes(record, view, seed, config.pictures, config.min_side):
        names = shuffled([n for n in scene.boxes if n in scene.masks], seed, record.key, scene.member, "tools")
        plans = shuffled(PLANS, seed, record.key, scene.member, "plans")
        made = 0
        for k, plan in enumerate(plans):
            if made == config.trajectories or not names:
                break
            try:
                drawn = _trajectory(scene, record, (plan, names[k % len(names)]), config, seed)
            except VerificationError:
                continue
            if drawn:
                out += [dataclasses.replace(d, part=len(out) // 2) for d in drawn]
                made += 1
    return out


def _trajectory(
    scene: Scene, record: Record, asked: tuple[str, str], config: Tools, seed: int
) -> tuple[Draft, Draft] | None:
    plan, name = asked
    path = _Path(record, scene, seed, plan, scene.view)
    key = (record.key, scene.member, plan, name)
    other = pick(sorted(scene.masks & scene.boxes.keys() - {name}) or [""], seed, *key, "other")
    if plan == "larger" and not other:
        return None
    words = {"a": scene.spoken[name], "b": scene.spoken.get(other, "")}
    question = pick(QUESTIONS[plan], seed, *key).format(**words)
    if plan == "box":
        question += " Write it as [x0, y0, x1, y1] in pixels of the picture."
    path.turns.append(Turn("user", f"{TOOLS}\n\n{question}"))
    gold, final = _STEPS[plan](path, name, other, config)
    calls = sum(1 for turn in path.turns if "<tool_call>" in turn.content)
    if calls > config.max_steps:
        return None
    if path.made:
        path.turns[0] = Turn("user", f"<image>\n{path.turns[0].content}")
    made = (*scene.made, *path.made)
    talk = Draft(record.key, "sft", "tools", 0, tuple(path.turns), proofs=tuple(path.proofs))
    limit = LIMIT.format(n=config.max_steps)
    prompt = Draft(
        record.key, "rlvr", "tools", 0, (Turn("user", f"{TOOLS}\n\n{question}\n{limit}"),), "", gold,
        (for_gold(final),), (no_leak(question, gold.gold.partition("|")[0], -1),) if plan != "larger" else (),
    )  # fmt: skip
    sft = dataclasses.replace(finish(talk), shows=scene.shows, made=made)
    return sft, dataclasses.replace(finish(prompt), shows=scene.shows, made=scene.made)


# --- steps -----------------------------------------------------------------------------------------------------------


def _zoom(path: _Path, name: str, kind: str, around: Box) -> None:
    """Look at a part of the picture that holds the target: the crop is made, shown and proven."""
    scene = path.scene
    if (around[2] - around[0]) * (around[3] - around[1]) > _CLOSER * scene.size[0] * scene.size[1]:
        raise VerificationError("the target fills the picture, so there is no closer look at it")
    thought = {"a": scene.spoken[name]}
    if kind == "zoom":
        place = path.prove("place_in", {"name": name, "member": scene.member})
        thought["p"] = place.value if place.value == "centre" else f"{place.value} part"
    longest = max(around[2] - around[0], around[3] - around[1])
    factor = max(1, min(8, -(-_SIDE // longest), _MOST // longest))
    pixels = crop_of(scene.pixels, around, factor)
    member = f"zoom{len(path.made) + 1}.png"
    made = made_picture(member, pixels, target=f"crop of {scene.member}")
    spacing = picture(scene.view, scene.member).spacing_mm
    if spacing is not None:
        media = dataclasses.replace(made.media, spacing_mm=tuple(s / factor for s in spacing))
        made = Made(media, made.data)
    kept = dict.fromkeys(m.member.partition("#")[0] for m in path.view.media)
    path.view = with_pictures(path.view, tuple(kept), ((made, pixels),))
    path.made.append(made)
    args = {"member": member, "of": scene.member, "box": box_text(around), "factor": str(factor)}
    path.prove("crop", args)
    path.call(path.thought(kind, thought), "zoom", {"image": 1, "bbox_2d": list(around)})
    path.respond({"image": len(path.made) + 1}, image=True)


def wider(scene: Scene, name: str, seed: int, key: str) -> Box:
    """The target's box with a margin of 15 to 60 % of its size on each side, inside the picture."""
    x0, y0, x1, y1 = scene.boxes[name]
    height, width = scene.size
    margins = [15 + seeded(seed, key, scene.member, name, str(side)) % 46 for side in range(4)]
    w, h = max(x1 - x0, 12), max(y1 - y0, 12)
    left, top, right, bottom = (m * n // 100 for m, n in zip(margins, (w, h, w, h), strict=True))
    return max(0, x0 - left), max(0, y0 - top), min(width, x1 + right), min(height, y1 + bottom)


def _segment(path: _Path, name: str) -> tuple[Proof, Proof]:
    """The box and the pixels of a mask: the proofs are of the response."""
    args = {"mask": name, "member": path.scene.member}
    words = {"a": path.scene.spoken[name]}
    path.call(path.thought("segment", words), "segment", {"image": 1, "target": words["a"]})
    box = path.prove("box_in", args)
    area = path.prove("area_px", args)
    path.respond({"target": words["a"], "bbox_2d": [int(n) for n in box.value.split(",")], "pixels": int(area.value)})
    return box, area


def _measured(path: _Path, name: str, quantity: str, config: Tools) -> tuple[Answer, Proof]:
    words = {"a": path.scene.spoken[name]}
    _zoom(path, name, "zoom", wider(path.scene, name, path.seed, path.record.key))
    _segment(path, name)
    path.call(path.thought("measure", words), "measure", {"image": 1, "target": words["a"], "quantity": quantity})
    args = {"mask": name, "member": path.scene.member}
    value = path.prove(quantity, args)
    path.respond({"target": words["a"], "quantity": quantity, "value": float(value.value), "unit": _UNITS[value.unit]})
    return _numeric(path, name, value, config.tolerance)


def _numeric(path: _Path, name: str, value: Proof, tolerance: float) -> tuple[Answer, Proof]:
    told = f"{value.value} {_UNITS[value.unit]}".rstrip()
    final = dataclasses.replace(value, turn=len(path.turns))
    path.proofs.append(final)
    path.answer(path.thought("number", {"a": path.scene.spoken[name], "v": told}), told)
    return Answer("number", value.value, "number", unit=value.unit, tolerance=tolerance), final


def _area(path: _Path, name: str, other: str, config: Tools) -> tuple[Answer, Proof]:
    return _measured(path, name, "area_mm2", config)


def _width(path: _Path, name: str, other: str, config: Tools) -> tuple[Answer, Proof]:
    return _measured(path, name, "width_mm", config)


def _pixels(path: _Path, name: str, other: str, config: Tools) -> tuple[Answer, Proof]:
    _zoom(path, name, "zoom", wider(path.scene, name, path.seed, path.record.key))
    _, area = _segment(path, name)
    return _numeric(path, name, area, config.tolerance)


def _larger(path: _Path, name: str, other: str, config: Tools) -> tuple[Answer, Proof]:
    for one in (name, other):
        _segment(path, one)
    final = path.prove("larger_in", {"a": name, "b": other, "member": path.scene.member})
    told = path.scene.spoken[final.value]
    words = {"a": path.scene.spoken[name], "b": path.scene.spoken[other], "v": told}
    path.answer(path.thought("larger", words), told)
    return Answer("label", "|".join(dict.fromkeys((told, final.value))), "label"), final


def _box(path: _Path, name: str, other: str, config: Tools) -> tuple[Answer, Proof]:
    box, _ = _segment(path, name)
    _zoom(path, name, "check", wider(path.scene, name, path.seed, path.record.key))
    final = dataclasses.replace(box, turn=len(path.turns))
    path.proofs.append(final)
    told = f"[{box.value.replace(',', ', ')}]"
    path.answer(path.thought("box_answer", {"a": path.scene.spoken[name], "v": told}), told)
    height, width = path.scene.size
    tolerance = round(1.0 - config.box_overlap, 6)
    return Answer("box", box.value, "box", tolerance=tolerance, frame=f"pixels {width}x{height}"), final


_STEPS: Mapping[str, Callable[[_Path, str, str, Tools], tuple[Answer, Proof]]] = MappingProxyType(
    {"area": _area, "width": _width, "pixels": _pixels, "larger": _larger, "box": _box}
)
