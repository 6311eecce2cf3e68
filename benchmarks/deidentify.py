"""What de-identification adds to reading and saving a DICOM file, beside other tools, on the same files in one run.

    python -m benchmarks.deidentify                  measure and print
    python -m benchmarks.deidentify --write          and put the table into benchmarks/README.md
    python -m benchmarks.deidentify --site FOLDER    take other tools from a folder they were installed into

Files: pydicom's packaged small CT and MR, an enhanced multi-frame object with nested sequences made here, once with
sequences of defined length, as most writers have them, and once of undefined length, and a report. Everybody reads from
memory with pydicom and writes to memory; what stands in the table is the time beyond that, so a tool that writes fewer
elements can be below nothing. CPU time of one core, which other work on the machine disturbs least, best of `RUNS` runs
in turns; dictionaries warm. The other tools run with their defaults (dicom-anonymizer: its rules for one edition of
Table E.1-1, at the top level only; deid: its default recipe). Each is measured where it is importable:
pip install --target FOLDER dicom-anonymizer dicognito deid.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
from pydicom import config, examples
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from benchmarks.report import machine, on_one_core, write
from curate.deidentify.header import clean_dataset
from curate.deidentify.profile import ProfileOptions
from curate.keyring import Keyring

RUNS = 40
FRAMES = 60
LIBRARIES = ("pydicom", "dicom-anonymizer", "dicognito", "deid")
RING = Keyring.load("benchmark", 7)
FULL = ProfileOptions(
    characteristics=True, safe_private=True, clean_descriptors=True, clean_structured_content=True, clean_graphics=True
)
Way = Callable[[Dataset], Any]


def enhanced(undefined: bool = False) -> bytes:
    """The small CT with 60 per-frame items, each with a plane, a position and two references."""
    ds = pydicom.dcmread(examples.get_path("ct"))
    template = Dataset()
    plane, content, source = Dataset(), Dataset(), Dataset()
    plane.ImagePositionPatient = [0.0, 0.0, 1.0]
    content.FrameAcquisitionDateTime, content.StackID = "20200101101112", "1"
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    template.PlanePositionSequence, template.FrameContentSequence = [plane], [content]
    template.ReferencedImageSequence = [source, copy.deepcopy(source)]
    ds.PerFrameFunctionalGroupsSequence = [copy.deepcopy(template) for _ in range(FRAMES)]
    if undefined:
        _undefine(ds)
    return saved(ds)


def _undefine(ds: Dataset) -> None:
    """Sequences and items of undefined length, at every depth."""
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _undefine(item)


def saved(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer)
    return buffer.getvalue()


def files() -> dict[str, bytes]:
    report = get_testdata_file("test-SR.dcm")
    assert isinstance(report, str)
    return {
        "CT": Path(examples.get_path("ct")).read_bytes(),
        "MR": Path(examples.get_path("mr")).read_bytes(),
        f"enhanced CT, {FRAMES} frames": enhanced(),
        "the same, undefined lengths": enhanced(undefined=True),
        "report": Path(report).read_bytes(),
    }


def ours(options: ProfileOptions) -> Way:
    patient = RING.pseudonym("patient", "one")
    return lambda ds: clean_dataset(ds, RING, patient, options).dataset


def by_dicom_anonymizer() -> Way:
    from dicomanonymizer import simpledicomanonymizer as tool  # type: ignore[import-not-found,unused-ignore]

    def clean(ds: Dataset) -> Dataset:
        tool.anonymize_dataset(ds, None, True)
        return ds

    return clean


def by_dicognito() -> Way:
    from dicognito.anonymizer import Anonymizer  # type: ignore[import-not-found,unused-ignore]

    tool = Anonymizer(seed="benchmark")

    def clean(ds: Dataset) -> Dataset:
        tool.anonymize(ds)
        return ds

    return clean


def by_deid() -> Way:
    from deid.config import DeidRecipe  # type: ignore[import-not-found,unused-ignore]
    from deid.dicom import replace_identifiers  # type: ignore[import-not-found,unused-ignore]

    recipe = DeidRecipe()

    def clean(ds: Dataset) -> Any:
        return replace_identifiers([ds], deid=recipe, save=False, remove_private=True)[0]

    return clean


def others() -> dict[str, Way]:
    known = {"dicomanonymizer": ("dicom-anonymizer", by_dicom_anonymizer), "dicognito": ("dicognito", by_dicognito),
             "deid": ("deid", by_deid)}  # fmt: skip
    return {name: make() for module, (name, make) in known.items() if importlib.util.find_spec(module)}


def chain(data: bytes, way: Way | None) -> Callable[[], Any]:
    def run() -> bytes:
        ds = pydicom.dcmread(io.BytesIO(data))
        return saved(ds if way is None else way(ds))

    return run


def added(data: bytes, ways: dict[str, Way]) -> dict[str, float]:
    """Milliseconds of read and save alone, and what every way adds to them."""
    runs: dict[str, Callable[[], Any]] = {"": chain(data, None), **{name: chain(data, w) for name, w in ways.items()}}
    best: dict[str, float] = {}
    for _ in range(RUNS):
        for name, run in runs.items():
            started = time.process_time()
            run()
            seconds = time.process_time() - started
            best[name] = min(seconds, best.get(name, seconds))
    return {name: 1e3 * (seconds - (best[""] if name else 0)) for name, seconds in best.items()}


def measure() -> str:
    config.settings.reading_validation_mode = config.IGNORE
    ways = {"medcurate": ours(ProfileOptions()), "medcurate, five options": ours(FULL), **others()}
    columns = {name: added(data, ways) for name, data in files().items()}
    lines = ["| added to read and save, ms per file | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    lines.append("| (reading and saving alone) | " + " | ".join(f"{c['']:.2f}" for c in columns.values()) + " |")
    lines += [f"| {name} | " + " | ".join(f"{c[name]:.2f}" for c in columns.values()) + " |" for name in ways]
    if "dicom-anonymizer" in ways:
        shares = [c["medcurate"] / c["dicom-anonymizer"] for c in columns.values()]
        lines.append("| medcurate by dicom-anonymizer | " + " | ".join(f"{share:.2f}" for share in shares) + " |")
    return "\n\n".join([f"Best of {RUNS} runs on one core, CPU time.", "\n".join(lines), machine(LIBRARIES)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/README.md")
    parser.add_argument("--site", type=Path, help="a folder with the other tools")
    options = parser.parse_args()
    if options.site:
        sys.path.append(str(options.site))
    on_one_core()
    text = measure()
    print(text)
    if options.write:
        write("deidentify", text)


if __name__ == "__main__":
    main()
