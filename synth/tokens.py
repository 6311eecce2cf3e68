"""How many tokens a request takes, where no tokenizer is at hand: upper estimates, and rules for pictures.

Text. `estimate` counts a token for every three lower-case letters of a word begun, for every capital after its first
letter, for every digit, other sign and new line, and one per byte of what is not ASCII. Medical English, tables and
JSON take 0.3 to 0.95 of it with SmolLM2's tokenizer (0.64 in the median of 325 kB), so it is an upper estimate for
byte-pair vocabularies of its 49,000 and more, not a bound. `bound` is one: no byte-level tokenizer makes two tokens of
one byte.

Pictures, by family of models (height and width in pixels, tokens with those that open and close the picture):

    qwen2_vl    Qwen2-VL, Qwen2.5-VL: sides rounded to 28 px, area kept between 4 and 16,384 squares (or what the
                processor allows, which may be less), one token a square
    qwen3_vl    the same with squares of 32 px, of which there are at least 64
    internvl    tiles of 448 px, 256 tokens each: at most 12 whose grid comes nearest to the picture's shape, and a
                thumbnail where there is more than one
    idefics3    Idefics3: longest side brought to 1,456 px, tiles of 364 px with 169 tokens each, and the whole
    llava       576 tokens whatever the size
    generic     a token for each 14 px square, nothing merged: more than any family above for a picture that it does
                not enlarge
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from synth.chat import Picture, Request
from synth.teacher_config import Family

_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]|[ \t]+|[^\x00-\x7f]+|.", re.DOTALL)
TEMPLATE_TOKENS = 64  # what a chat template adds once (some bring a system message of their own) ...
MESSAGE_TOKENS = 16  # ... and around each message
_QWEN_MOST = 16_384
_INTERN_TILES = 12


def sample_tokens(sample: dict[str, Any]) -> tuple[int, int]:
    """(of its text, of what it shows) of a sample's JSON: an upper estimate, and what each medium's render target
    counts for the model that it is made for (0 where a target counts nothing)."""
    said = [str(sample.get("text") or ""), *(str(turn["content"]) for turn in sample.get("conversations") or ())]
    shown = sum(int(media["visual_tokens"]) for media in sample["media"] if media["kind"] != "mask")
    return sum(map(estimate, said)), shown


def estimate(text: str) -> int:
    """An upper estimate of the tokens of a text; see above."""
    return sum(map(_piece, _PIECE.findall(text)))


def _piece(piece: str) -> int:
    if not piece.isascii():
        return len(piece.encode("utf-8", "surrogatepass"))
    if piece.isalpha():
        return 1 + (len(piece) - 1) // 3
    return int(piece not in (" ", "\t"))


def bound(request: Request) -> int:
    """More tokens than a request's text can have, template included; its pictures are not counted."""
    texts = sum(len(text.encode("utf-8", "surrogatepass")) for _, text in request.messages)
    return texts + MESSAGE_TOKENS * (len(request.messages) + 1) + TEMPLATE_TOKENS


def estimated(request: Request, family: Family) -> int:
    """The upper estimate for a whole request, its pictures included."""
    texts = sum(estimate(text) for _, text in request.messages)
    template = MESSAGE_TOKENS * (len(request.messages) + 1) + TEMPLATE_TOKENS
    return texts + template + visual(request.pictures, family)


def visual(pictures: Iterable[Picture], family: Family) -> int:
    """The tokens of pictures by the rule of a family."""
    return sum(picture_tokens(family, picture.height, picture.width) for picture in pictures)


def family_of(name: str) -> Family:
    """The family that a model's name, or the `model_type` of its config.json, tells; `generic` for any other."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    known: tuple[tuple[str, Family], ...] = (
        ("qwen3vl", "qwen3_vl"), ("qwen2vl", "qwen2_vl"), ("qwen25vl", "qwen2_vl"), ("internvl", "internvl"),
        ("idefics3", "idefics3"), ("smolvlm", "idefics3"), ("llavanext", "generic"), ("llavaonevision", "generic"),
        ("llava", "llava"),
    )  # fmt: skip
    return next((family for part, family in known if part in plain), "generic")


def picture_tokens(family: Family, height: int, width: int) -> int:
    height, width = max(height, 1), max(width, 1)
    if family in ("qwen2_vl", "qwen3_vl"):
        return (_qwen(height, width, 28, 4) if family == "qwen2_vl" else _qwen(height, width, 32, 64)) + 2
    if family == "internvl":
        tiles = _intern_tiles(height, width)
        return 256 * (tiles + (tiles > 1)) + 2
    if family == "idefics3":
        longest = 1456 / max(height, width)
        rows, columns = math.ceil(height * longest / 364), math.ceil(width * longest / 364)
        return rows * columns * (169 + 2) + rows + (169 + 3)
    if family == "llava":
        return 576
    return math.ceil(height / 14) * math.ceil(width / 14) + 2


def _qwen(height: int, width: int, side: int, least: int) -> int:
    """Squares of a picture as `smart_resize` of these models' processors rounds it."""
    rows, columns = max(1, round(height / side)), max(1, round(width / side))
    if rows * columns > _QWEN_MOST:
        shrink = math.sqrt(height * width / (_QWEN_MOST * side * side))
        return max(1, int(height / shrink / side)) * max(1, int(width / shrink / side))
    if rows * columns < least:
        grow = math.sqrt(least * side * side / (height * width))
        return math.ceil(height * grow / side) * math.ceil(width * grow / side)
    return rows * columns


def _intern_tiles(height: int, width: int) -> int:
    """Tiles of the grid that comes nearest to the picture's shape; of equal ones the larger where the picture fills
    half of it."""
    shape, best, tiles = width / height, math.inf, 1
    counts = range(1, _INTERN_TILES + 1)
    grids = [(columns, rows) for columns in counts for rows in counts if columns * rows <= _INTERN_TILES]
    for columns, rows in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        apart = abs(shape - columns / rows)
        if apart < best or (apart == best and height * width > 0.5 * 448 * 448 * columns * rows):
            best, tiles = apart, columns * rows
    return tiles
