"""Readers of benchmarks in the layouts that they are published in: what `curate pack-benchmark` packs.

One file per upstream, each with a NAME, the LAYOUT in words, where it is KNOWN from, its SPLITS and
`read(folder, split)`; `table.read_table` reads any other in one table. Nothing here decodes an image.
"""

from __future__ import annotations

from manifests.config import unknown
from manifests.errors import RecipeError
from sources.benchmarks import (
    amos_mm,
    ct_rate,
    deeptumorvqa,
    gmai_mmbench,
    m3d_vqa,
    medframeqa,
    medmcqa,
    medq_deg,
    medqa,
    medvidbench,
    medxpertqa,
    mmlu_medical,
    mmmu_medical,
    mmxu,
    omnimedvqa,
    pathvqa,
    pmc_vqa,
    pubmedqa,
    slake,
    surgpub_video,
    three_d_rad,
    vqa_med_2019,
    vqa_rad,
)
from sources.benchmarks.base import BenchmarkItem, Known, Reader

__all__ = ["BENCHMARKS", "BenchmarkItem", "Known", "Reader", "benchmark"]

BENCHMARKS: dict[str, Reader] = {
    amos_mm.NAME: amos_mm,
    ct_rate.NAME: ct_rate,
    deeptumorvqa.NAME: deeptumorvqa,
    gmai_mmbench.NAME: gmai_mmbench,
    m3d_vqa.NAME: m3d_vqa,
    medframeqa.NAME: medframeqa,
    medmcqa.NAME: medmcqa,
    medq_deg.NAME: medq_deg,
    medqa.NAME: medqa,
    medvidbench.NAME: medvidbench,
    medxpertqa.NAME: medxpertqa,
    mmlu_medical.NAME: mmlu_medical,
    mmmu_medical.NAME: mmmu_medical,
    mmxu.NAME: mmxu,
    omnimedvqa.NAME: omnimedvqa,
    pathvqa.NAME: pathvqa,
    pmc_vqa.NAME: pmc_vqa,
    pubmedqa.NAME: pubmedqa,
    slake.NAME: slake,
    surgpub_video.NAME: surgpub_video,
    three_d_rad.NAME: three_d_rad,
    vqa_med_2019.NAME: vqa_med_2019,
    vqa_rad.NAME: vqa_rad,
}


def benchmark(name: str) -> Reader:
    """The reader of a benchmark. Raises `RecipeError` that lists the known names."""
    if name not in BENCHMARKS:
        raise RecipeError(unknown("benchmark", name, list(BENCHMARKS)))
    return BENCHMARKS[name]
