"""What `curate pack-benchmark` does: read a benchmark in its published layout, write its pack, say what it can find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curate.packs.build import build
from curate.packs.media import MediaHashes
from curate.packs.naming import SALT
from curate.packs.pack import Pack, write
from manifests.errors import RecipeError
from sources.benchmarks import BENCHMARKS, benchmark
from sources.benchmarks.table import read_table

MIN_SALT = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """`columns` of a benchmark that has no reader of its own; `salt` hexadecimal, "" for the common one, with which
    packs are searched together; `pixels`: decode media too."""

    name: str
    folder: Path
    out: Path
    split: str = ""
    licence: str = ""
    salt: str = ""
    columns: Mapping[str, str] | None = None
    pixels: bool = True


def make(wanted: Wanted) -> str:
    """Write the pack; what it holds, in lines for the user. Raises `RecipeError`, `RecordError("bad_benchmark")`."""
    salt = _salt(wanted.salt)
    media = MediaHashes(pixels=wanted.pixels)
    if wanted.columns:
        items, source, split = read_table(wanted.folder, wanted.columns), f"table {wanted.folder.name}", wanted.split
    else:
        reader = benchmark(wanted.name)
        split = wanted.split or reader.SPLITS[0]
        items, source = reader.read(wanted.folder, split), f"{reader.NAME}, layout {reader.KNOWN}"
    pack = build(items, wanted.name, salt, split=split, source=source, licence=wanted.licence, media=media)
    if not pack.counts["items"]:
        raise RecipeError(
            f"'{wanted.folder}' holds no item of {wanted.name} {split}; is it the right folder and split?"
        )
    digest = write(pack, wanted.out)
    return text(pack, media, wanted.out, digest)


def _salt(written: str) -> bytes:
    try:
        salt = bytes.fromhex(written) if written else SALT
    except ValueError:
        raise RecipeError("--salt is hexadecimal, e.g. from `openssl rand -hex 16`") from None
    if not MIN_SALT <= len(salt) <= 64:
        raise RecipeError(f"--salt has {len(salt)} bytes; give {MIN_SALT} to 64")
    return salt


def text(pack: Pack, media: MediaHashes, out: Path, digest: str) -> str:
    """What a pack can find, and what was missing when it was made."""
    c = pack.counts
    share = {key: f"{n} ({100 * n / c['items']:.1f} %)" for key, n in c.items()}
    named = " ".join(word for word in (pack.name, pack.split) if word)
    lines = [
        f"{out}: {named}, {c['items']} items, {out.stat().st_size / 1e6:.1f} MB, digest {digest[:16]}",
        f"found by text: {share['by_text']}; with a fifth of the words changed: {share['by_edited_text']}",
        f"found by media: {share['by_media']}; by what they look like: {share['by_looks']}",
        f"found by patient, study or video: {share['by_id']}",
    ]
    if media.absent or media.unreadable or media.plain:
        missing = f"{media.absent} not in the folder, {media.unreadable} not decoded"
        lines.append(f"media: {media.hashed} hashed, {missing}, {media.plain} plain: nothing to be known by")
    if c["unchecked"]:
        lines.append(f"not found by anything: {share['unchecked']} (short texts without media or ids)")
    return "\n".join(lines)


def listed() -> str:
    """The benchmarks that have readers, with their splits and where each layout is known from."""
    return "\n".join(f"{name:<16}{reader.KNOWN:<11}{', '.join(reader.SPLITS)}" for name, reader in BENCHMARKS.items())


def columns_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """`question=Question` and the like."""
    found = {}
    for pair in pairs:
        part, mark, column = pair.partition("=")
        if not mark or not part or not column:
            raise RecipeError(f"--column is PART=COLUMN, e.g. question=Question; found '{pair}'")
        found[part.strip()] = column
    return found
