"""Samples as cards: text and pictures in the order in which a model reads them, boxes and masks drawn in them."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from manifests.errors import VerificationError
from synth.boxes import frame_of, from_dialect

IMAGE = "<image>"
BOX = re.compile(r"\[\d+(?:\.\d+)?(?:, ?\d+(?:\.\d+)?){3}\]")
WORD = re.compile(rf"( *)({BOX.pattern}|\n|(?:(?!{BOX.pattern})\S)+)")  # blanks before it, and the word
INK, ASKED, SAID, QUIET = (20, 20, 20), (24, 60, 130), (20, 100, 50), (120, 120, 120)
COLOURS = ((220, 40, 40), (30, 110, 230), (230, 130, 0), (150, 40, 190), (0, 150, 130), (190, 150, 0))
MASKED = (255, 225, 0)
SMALL, PLAIN, LARGE = (ImageFont.load_default(size) for size in (11, 12, 15))
LINE, PAD, GAP = 15, 8, 6
TALL = 6000


@dataclass(frozen=True)
class Sample:
    """One sample of a shard: its JSON, and its media by member."""

    row: dict[str, Any]
    members: dict[str, bytes]

    @property
    def pictures(self) -> list[Image.Image]:
        """The pictures that it shows, in order."""
        shown = [m for m in self.row["media"] if m["kind"] == "image"]
        return [Image.open(io.BytesIO(self.members[m["member"]])).convert("RGB") for m in shown]

    @property
    def whole(self) -> bool:
        """Whether all of its media but masks are pictures, so that a card can show it."""
        kinds = {m["kind"] for m in self.row["media"]} - {"mask"}
        return kinds == {"image"}

    @property
    def turns(self) -> list[tuple[str, str]]:
        """(role, text) of a conversation; a text for pretraining is one turn without a role."""
        if self.row.get("conversations"):
            return [(t["role"], t["content"]) for t in self.row["conversations"]]
        return [("", self.row.get("text", ""))]

    def said(self) -> str:
        """All that a model should say or a tool answers: whose boxes are drawn."""
        gold = (self.row.get("answer") or {}).get("gold", "")
        told = (text for role, text in self.turns if role != "user" or text.startswith("<tool_response>"))
        return "\n".join([*told, "[" + gold.replace(",", ", ") + "]"])


def card(sample: Sample, width: int, tall: int, known: str = "") -> Image.Image:
    """A sample in a column of so many pixels, its pictures at most `tall` pixels high. A first paragraph that is
    `known` (how tools are called) is left out."""
    canvas = Image.new("RGB", (width, TALL), "white")
    flow = _Flow(canvas, width)
    flow.write(f"{sample.row['source']}, {sample.row['stage']}, {sample.row['task']}", QUIET, SMALL)
    boxes = {text: COLOURS[n % len(COLOURS)] for n, text in enumerate(dict.fromkeys(BOX.findall(sample.said())))}
    pictures = sample.pictures
    if pictures:
        pictures[0] = marked(sample, fitted(pictures[0], width - 2 * PAD, tall), pictures[0].size, boxes)
    if not any(IMAGE in text for _, text in sample.turns):
        flow.row(pictures, [""] * len(pictures), tall)
        pictures = []
    for role, text in sample.turns:
        if known and text.startswith(known):
            text = f"{IMAGE * known.count(IMAGE)}[...] {text.removeprefix(known).lstrip()}"
        pictures = _turn(flow, text, {"user": ASKED, "assistant": SAID}.get(role, INK), boxes, pictures, tall)
    gold = (sample.row.get("answer") or {}).get("gold")
    if gold:
        flow.write(f"gold: {gold}", SAID, PLAIN, boxes)
    cut = canvas.crop((0, 0, width, flow.y + PAD))
    ImageDraw.Draw(cut).rectangle((0, 0, width - 1, flow.y + PAD - 1), outline=(200, 200, 200))
    return cut


def _turn(
    flow: _Flow,
    text: str,
    colour: tuple[int, int, int],
    boxes: dict[str, tuple[int, int, int]],
    pictures: list[Image.Image],
    tall: int,
) -> list[Image.Image]:
    """One turn with its pictures where they stand; those that follow with no more than a short line between them stand
    side by side, under that line. What is left of the pictures is given back."""
    pieces = text.split(IMAGE)
    row: list[Image.Image] = []
    labels: list[str] = []
    for number, piece in enumerate(pieces[:-1]):
        lines = [line.strip() for line in piece.strip().split("\n")]
        label = lines[-1] if len(lines[-1]) <= 45 else ""
        before = lines[:-1] if label or not lines[-1] else lines
        if before and any(before):
            flow.row(row, labels, tall)
            row, labels = [], []
            flow.write("\n".join(before), colour, PLAIN, boxes)
        if number < len(pictures):
            row.append(pictures[number])
            labels.append(label)
    flow.row(row, labels, tall)
    flow.write(pieces[-1].strip(), colour, PLAIN, boxes)
    return pictures[len(pieces) - 1 :]


class _Flow:
    """What is written below what."""

    def __init__(self, canvas: Image.Image, width: int) -> None:
        self.canvas, self.width, self.y = canvas, width - 2 * PAD, PAD
        self.draw = ImageDraw.Draw(canvas)

    def write(
        self,
        text: str,
        colour: tuple[int, int, int],
        font: Any,
        boxes: dict[str, tuple[int, int, int]] | None = None,
    ) -> None:
        """Text, wrapped; a box stands in the colour in which it is drawn."""
        if not text:
            return
        x = 0.0
        for blanks, word in WORD.findall(text):
            if word == "\n":
                x, self.y = 0.0, self.y + LINE
                continue
            x += self.draw.textlength(blanks, font) if x else 0.0
            wide = self.draw.textlength(word, font)
            if x and x + wide > self.width:
                x, self.y = 0.0, self.y + LINE
            self.draw.text((PAD + x, self.y), word, (boxes or {}).get(word, colour), font)
            x += wide
        self.y += LINE + GAP // 2

    def row(self, pictures: Sequence[Image.Image], labels: Sequence[str], tall: int) -> None:
        """Pictures side by side in lines as wide as the card, each under its label."""
        if not pictures:
            return
        x, high = 0, 0
        lift = LINE if any(labels) else 0
        for picture, label in zip(pictures, labels, strict=True):
            shown = fitted(picture, self.width, tall)
            wide = max(shown.width, int(self.draw.textlength(label, SMALL)))
            if x and x + wide > self.width:
                x, self.y, high = 0, self.y + high + GAP, 0
            self.draw.text((PAD + x, self.y), label, QUIET, SMALL)
            self.canvas.paste(shown, (PAD + x, self.y + lift))
            x, high = x + wide + GAP, max(high, shown.height + lift)
        self.y += high + GAP


def fitted(picture: Image.Image, wide: int, tall: int) -> Image.Image:
    """As large as fits, enlarged too."""
    scale = min(wide / picture.width, tall / picture.height)
    return picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))


def marked(
    sample: Sample, shown: Image.Image, size: tuple[int, int], boxes: dict[str, tuple[int, int, int]]
) -> Image.Image:
    """The first picture, which was `size` (width, height) before it was fitted, with the boxes that are spoken of and
    the outlines of the masks that are."""
    for media in sample.row["media"]:
        if media["kind"] == "mask" and media["label"] and f'"{media["label"]}"' in sample.said():
            outline(shown, sample.members[media["member"]], media["value"], size)
    draw = ImageDraw.Draw(shown)
    scale = shown.width / size[0], shown.height / size[1]
    for text, colour in boxes.items():
        numbers = [float(n) for n in re.findall(r"[\d.]+", text)]
        x0, y0, x1, y1 = (n * scale[i % 2] for i, n in enumerate(in_pixels(sample, numbers)))
        if x0 < x1 <= shown.width + 1 and y0 < y1 <= shown.height + 1:
            draw.rectangle((round(x0), round(y0), round(x1) - 1, round(y1) - 1), outline=colour, width=2)
    return shown


def in_pixels(sample: Sample, numbers: Sequence[float]) -> Sequence[float]:
    """Of four numbers of a box those of pixels, by the dialect in which the sample says that it writes boxes."""
    for proof in sample.row["proofs"]:
        if proof["call"].startswith("frame("):
            with contextlib.suppress(VerificationError):
                return from_dialect(numbers, *frame_of(proof["value"]))
    return numbers


def outline(shown: Image.Image, mask: bytes, value: int, size: tuple[int, int]) -> None:
    """Colour the edge of a structure in the fitted picture: where a label map of that size has this value."""
    stored = np.load(io.BytesIO(gzip.decompress(mask)), allow_pickle=False) == value
    if stored.shape != size[::-1]:
        return
    inside = np.array(Image.fromarray(stored).resize(shown.size, Image.Resampling.NEAREST))
    core = inside.copy()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        core &= np.roll(inside, step, axis) & np.roll(inside, 2 * step, axis)
    pixels = np.array(shown)
    pixels[inside & ~core] = MASKED
    shown.paste(Image.fromarray(pixels))


def columns(cards: Sequence[Image.Image], count: int, gap: int = 10) -> Image.Image:
    """Cards of one width below each other, the next one always in the shortest column."""
    width = cards[0].width
    heights = [0] * count
    places = []
    for one in cards:
        at = heights.index(min(heights))
        places.append((at * (width + gap), heights[at]))
        heights[at] += one.height + gap
    sheet = Image.new("RGB", (count * width + (count - 1) * gap, max(heights) - gap), "white")
    for one, place in zip(cards, places, strict=True):
        sheet.paste(one, place)
    return sheet
