"""The sentinel sweep: after a record is made, everything that was made of it is searched for its own identifiers.

The rules of de-identification say what should be gone; the sweep looks whether it is, knowing nothing of the rules. A
hit withholds the record (`failed: identifier_in_output`, with kinds and places, never the text) and `curate verify`
reports it, so that a rule that stopped working cannot pass in silence.

- `needles`: which values of a source count as identifiers, and which do not;
- `views`: in which encodings they are looked for;
- `search`: what is looked at, and what a hit says;
- `record`: collecting while a record is read, searching when it is made, sealing its lineage;
- `stage`: the same for what synthesis writes (samples, teachers' prompts and answers, rendered media's metadata). It
  reads the sources' headers again: needles are never written, not even as keyed hashes, because a hash of a date or a
  name can be tried by whoever has the key, and where the key is public that is everybody.

Not found: what no field and no path of the source says (a name known from elsewhere, a face, text in pixels), names
misspelt, hyphenated by a line end or transcribed, days without a year, encodings not listed in `views`, single names
that are also words (`Brown`), identifiers below 4 characters, and what is drawn into pixels. In lineages: a name in the
path of a file that is no DICOM, or whose header cannot be read, where only other files' headers know it.
"""

from __future__ import annotations

from curate.sweep.needles import Needles, needles_of
from curate.sweep.record import (
    REASON,
    Sweep,
    begin,
    derive,
    hits_of,
    is_sealed,
    listening,
    same_path,
    sealed,
    withheld,
)
from curate.sweep.search import Hit, hits_in_json, hits_in_member, hits_in_text, told

__all__ = [
    "REASON",
    "Hit",
    "Needles",
    "Sweep",
    "begin",
    "derive",
    "hits_in_json",
    "hits_in_member",
    "hits_in_text",
    "hits_of",
    "is_sealed",
    "listening",
    "needles_of",
    "same_path",
    "sealed",
    "told",
    "withheld",
]
