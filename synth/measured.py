"""Facts of segmented structures, measured once when a record is prepared."""

from __future__ import annotations

from collections.abc import Mapping

from manifests.record import Affine, Fact
from synth import shapes
from synth.calls import format_number, format_size
from synth.grids import determinant
from synth.shapes import Array, Part

MAX_STRUCTURES = 32


def mask_facts(
    masks: Mapping[str, Array], affine: Affine, voxels: Array | None = None, units: str = ""
) -> tuple[Fact, ...]:
    """Volume, longest axis, slice range, box and, in HU, mean attenuation of each structure of a canonical volume.

    `masks` are arrays (z, y, x) on the grid of `voxels`, inside is not 0; `affine` maps (x, y, z) to RAS+ mm. At most
    32 structures are measured, in the order given; empty ones give no fact. The values are the texts that the programs
    of `synth.proofs` give on the canonical grid. Origin is `mask:LABEL`.
    """
    facts: list[Fact] = []
    for label, mask in list(masks.items())[:MAX_STRUCTURES]:
        part = shapes.cropped(mask)
        if part is not None:
            facts += part_facts(label, part, affine, voxels if units == "HU" else None)
    return tuple(facts)


def flat_mask_facts(
    label: str, mask: Array, spacing_mm: tuple[float, float] | None, at: str = "", objects: int = 0
) -> tuple[Fact, ...]:
    """What is measured of one structure of a canonical image, on its pixels: that it is there, its box, connected parts
    and area, and with `spacing_mm` (y, x) its longest axis and its area in mm2; () of an empty mask (y, x). Of several
    `objects` only their number and the area: no one of them has the box or the length of all."""
    part = shapes.cropped(mask)
    if part is None:
        return ()
    (y0, x0), (y1, x1) = part.start, part.stop
    rows = [
        ("structure", label, ""),
        *((("box", f"{x0},{y0},{x1},{y1}", ""),) if objects < 2 else ()),
        ("count", str(objects or shapes.components(part)), ""),
        ("area_px", str(part.voxels), ""),
    ]
    if spacing_mm is not None:
        y, x = spacing_mm
        if objects < 2:
            rows.append(("longest_axis_mm", format_size(shapes.longest_axis(part, ((y, 0.0), (0.0, x))), 1), "mm"))
        rows.append(("area_mm2", format_size(part.voxels * y * x, 1), "mm2"))
    return tuple(Fact(name, value, f"mask:{label}", unit=unit, about=label, at=at) for name, value, unit in rows)


def unplaced_mask_facts(label: str, mask: Array) -> tuple[Fact, ...]:
    """Of a structure of a volume without spacing: its slices and its box, in voxels."""
    part = shapes.cropped(mask)
    if part is None:
        return ()
    (z0, y0, x0), (z1, y1, x1) = part.start, part.stop
    rows = (("slice_range", f"{z0}-{z1 - 1}"), ("box", f"{x0},{y0},{z0},{x1},{y1},{z1}"))
    return tuple(Fact(name, value, f"mask:{label}", about=label) for name, value in rows)


def part_facts(label: str, part: Part, affine: Affine, hounsfield: Array | None) -> list[Fact]:
    """The facts of one structure that is already cropped; `hounsfield` is the whole volume in HU, where it is known."""
    steps = [[row[k] for row in affine[:3]] for k in (2, 1, 0)]
    (z0, y0, x0), (z1, y1, x1) = part.start, part.stop
    volume = part.voxels * abs(determinant(steps)) / 1000.0
    rows = [
        ("volume_ml", format_size(volume, 2), "mL"),
        ("longest_axis_mm", format_size(shapes.longest_axis(part, steps), 1), "mm"),
        ("slice_range", f"{z0}-{z1 - 1}", ""),
        ("box", f"{x0},{y0},{z0},{x1},{y1},{z1}", ""),
    ]
    if hounsfield is not None:
        rows.append(("mean_hu", format_number(shapes.mean(hounsfield[part.where][part.inside]), 1), "HU"))
    return [Fact(name, value, f"mask:{label}", unit=unit, about=label) for name, value, unit in rows]
