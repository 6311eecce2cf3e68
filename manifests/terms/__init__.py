"""Tables of synonyms: what upstreams write, and the one term that stands for it here.

`TABLES` are asked in their order, those that hold for a kind of record before those that hold for all; the first one
that knows a word decides. `manifests.vocabulary.canonical` is how they are asked.
"""

from manifests.terms import acquisition, chest, organs, skin_eye, structures
from manifests.terms.table import Table as Table
from manifests.terms.table import flat as flat

TABLES: tuple[Table, ...] = (
    *acquisition.TABLES,
    *chest.TABLES,
    *skin_eye.TABLES,
    *organs.TABLES,
    *structures.TABLES,
)
