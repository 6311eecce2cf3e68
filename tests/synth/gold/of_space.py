"""Rules for boxes and masks; how much a rule's box or mask shares with the gold follows from how the rule made it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from manifests.sample import Answer
from tests.synth.gold.base import FACTS, Case, Cores, Pair, pairs_of

Numbers = Sequence[float]


def _text(numbers: Numbers, places: int) -> str:
    return ", ".join(f"{n:.{places}f}" for n in numbers)


def _moved(box: Numbers, by: float) -> list[float]:
    """The box moved along x by a share of its width: the two share (1 - by) / (1 + by)."""
    half, step = len(box) // 2, (box[len(box) // 2] - box[0]) * by
    return [n + step if k in (0, half) else n for k, n in enumerate(box)]


def _grown(box: Numbers, by: float) -> list[float]:
    """The box with its extent along x times `by`: the two share 1 / by, or `by` where it shrinks."""
    half = len(box) // 2
    return [box[0] + (box[half] - box[0]) * by if k == half else n for k, n in enumerate(box)]


def _box_case(frame: str, box: Numbers, top: Numbers, places: int, at: int) -> Case:
    half, shown = len(box) // 2, _text(box, places)
    inside = _moved(box, 0.1 if box[half] * 1.2 < top[0] else -0.1)
    corners = f"({_text(box[:half], places)}), ({_text(box[half:], places)})"
    listed = f"[{shown}]"
    right: Cores = (
        ("list", listed), ("bare", shown), ("tight", f"[{shown.replace(' ', '')}]"), ("corners", corners),
        ("json_qwen", f'={{"bbox_2d": {listed}}}'),
        ("json_label", f'=```json\n[{{"bbox_2d": {listed}, "label": "part"}}]\n```'),
        ("tagged", f"=<ref>part</ref><box>[{listed}]</box>"), ("sentence", f"=The box is {listed}."),
        ("near", f"[{_text(inside, places + 1)}]"),
        ("grown", f"[{_text(_grown(box, 0.85), places + 1)}]"), ("round", f"({shown})"),
        ("only_box", f"=<box>[{listed}]</box>"),
    )  # fmt: skip
    turned = [*box[half:], *box[:half]]
    small = [n + (0 if k < half else -(box[k] - box[k - half]) * 0.6) for k, n in enumerate(box)]
    wrong = [
        ("far", f"[{_text(_moved(box, 0.7 if box[half] * 2 < top[0] else -0.7), places)}]"),
        ("turned_over", f"[{_text(turned, places)}]"),
        ("nan", f"[{', '.join(['nan'] * len(box))}]"), ("nan_one", f"[nan, {_text(box[1:], places)}]"),
        ("infinite", f"[0, 0, {', '.join(['inf'] * (len(box) - 2))}]"),
        ("giant", f"[-999999, -999999, {', '.join(['999999'] * (len(box) - 2))}]"),
        ("repeated", f"{listed} {listed} {listed}"), ("two", f"{listed}, [{_text(_moved(box, 0.8), places)}]"),
        ("too_few", f"[{_text(box[:-1], places)}]"), ("too_many", f"[{shown}, {box[-1]:.{places}f}]"),
        ("empty", "[]"), ("point", f"[{_text([*box[:half], *box[:half]], places)}]"),
        ("not", f"not {listed}"), ("small", f"[{_text(small, places + 1)}]"),
        ("exponent", f"[{', '.join(['1e3'] * len(box))}]"), ("words", "the upper left quarter"),
        ("no_numbers", f"[{', '.join(['x'] * len(box))}]"), ("nested", f"[[{shown}], [{shown}]]"),
        ("dict_twice", f'={{"bbox_2d": {listed}, "bbox_2d": {listed}}}'),
        ("negative", f"[-{shown}]" if box[0] > 0 else f"[-1, {_text(box[1:], places)}]"),
        ("or", f"{listed} or {listed}"),
    ]  # fmt: skip
    if frame:
        wrong.append(("outside", f"[{_text([*box[:half], *(t * 1.5 for t in top)], places)}]"))
        wrong.append(("all", f"[{_text([0.0] * half, places)}, {_text(top, places)}]"))
    answer = Answer(
        "box",
        _text(box, places).replace(" ", ""),
        "box",
        tolerance=0.4,
        frame=frame,
        metric="giou" if at % 4 == 3 else "",
    )
    return Case(
        answer,
        (right[0], *right[1 + at % 2 :: 2]),
        tuple(wrong[at % 2 :: 2]),
        f"[{_text(_moved(box, 0.9 if box[half] * 2.2 < top[0] else -0.9), places)}]",
    )


def box_cases() -> Iterator[Case]:
    width, height, depth = FACTS["shape"]
    for at, (x0, y0, z0, x1, y1, z1) in enumerate(list(FACTS["boxes"].values())[::2]):
        plane = (x0 / width, y0 / height, x1 / width, y1 / height)
        whole = [v * (4 * width if k % 2 == 0 else 4 * height) for k, v in enumerate(plane)]
        if x1 - x0 < width * 0.6:
            yield _box_case(f"pixels {4 * width}x{4 * height}", whole, (4 * width, 4 * height), 0, at)
            per = (("thousand", 1000, 0), ("medrega", 999, 0), ("internvl", 1000, 0), ("medvision", 1, 3))[at % 4]
            yield _box_case(per[0], [v * per[1] for v in plane], (per[1], per[1]), per[2], at + 1)
            yield _box_case("", whole, (4 * width, 4 * height), 0, at)
            yield _box_case(f"voxels {width}x{height}x{depth}", (x0, y0, z0, x1, y1, z1), (width, height, depth), 0, at)


def run_lengths(pixels: Sequence[int], total: int) -> list[int]:
    """COCO's uncompressed run lengths of the pixels (indices in column order), beginning with those outside."""
    inside = set(pixels)
    counts, last = [0], False
    for k in range(total):
        now = k in inside
        if now is last:
            counts[-1] += 1
        else:
            counts.append(1)
            last = now
    return counts


def mask_cases() -> Iterator[Case]:
    """Dice of n pixels less k is 2(n - k) / (2n - k); plus k it is 2n / (2n + k)."""
    masks = FACTS["masks"]
    names = list(masks)
    for at, name in enumerate([*names, *names]):
        (h, w), pixels = masks[name]["size"], masks[name]["pixels"]
        total, n = h * w, len(pixels)
        strict = at >= len(names)

        def rle(of: Sequence[int], head: str = f"{h} {w}: ", size: int = total) -> str:
            return head + " ".join(map(str, run_lengths(of, size)))

        counts = run_lengths(pixels, total)
        free = [k for k in range(total) if k not in set(pixels)]
        few = max(n // 10, 1)
        right: Cores = (
            ("exact", rle(pixels)), ("commas", f"{h} {w}: " + ", ".join(map(str, counts))),
            ("json", f'={json.dumps({"size": [h, w], "counts": counts})}'),
            ("json_tag", f'=<answer>{json.dumps({"counts": counts, "size": [h, w]})}</answer>'),
            ("brackets", f"[{h}, {w}]: [{', '.join(map(str, counts))}]"),
        )  # fmt: skip
        wrong: Cores = (
            ("complement", rle(free)), ("none", f"{h} {w}: {total}"), ("all", f"{h} {w}: 0 {total}"),
            ("half", rle(pixels[: n // 3])), ("swapped", f"{w} {h}: " + " ".join(map(str, counts))),
            ("short", f"{h} {w}: " + " ".join(map(str, counts[:-1]))),
            ("long", f"{h} {w}: " + " ".join(map(str, [*counts, 5]))),
            ("negative", f"{h} {w}: -5 " + " ".join(map(str, [counts[0] + 5, *counts[1:]]))),
            ("nan", f"{h} {w}: nan"), ("twice", f"{rle(pixels)}\n{rle(pixels)}"),
            ("fraction", f"{h} {w}: 1.5 " + " ".join(map(str, counts))), ("no_size", " ".join(map(str, counts))),
            ("moved", rle([(p + 12 * h) % total for p in pixels])), ("empty", f"{h} {w}:"),
            ("huge", "99999 99999: 9999800001"), ("words", f"the {name}"),
        )  # fmt: skip
        if strict:
            wrong += (("less", rle(pixels[few:])), ("more", rle(sorted([*pixels, *free[:few]]))))
        else:
            right += (("less", rle(pixels[few:])), ("more", rle(sorted([*pixels, *free[:few]]))))
        other = masks[names[(at + 1) % len(names)]]
        gold = Answer("mask", rle(pixels), "mask", tolerance=0.0 if strict else 0.2)
        yield Case(gold, right, wrong, rle([p for p in other["pixels"] if p not in pixels] or free[:9]))
    for at, name in enumerate(names):
        other_name = names[(at + 1) % len(names)]
        right = (
            ("reference", f"mask:{name}"),
            ("reference_case", f"MASK:{name}"),
            ("reference_space", f"mask: {name}"),
        )
        wrong = (("reference_off", f"mask:{other_name}"), ("reference_two", f"mask:{name} mask:{other_name}"),
        ("reference_part", f"mask:{name[:-1]}"),
                 ("reference_not", f"not mask:{name}"), ("reference_any", "mask:*"))  # fmt: skip
        yield Case(Answer("mask", f"mask:{name}", "mask"), right, wrong, f"mask:{other_name}")


def pairs() -> Iterator[Pair]:
    yield from pairs_of(list(box_cases()), 4, 4)
    yield from pairs_of(list(mask_cases()), 5, 5)
