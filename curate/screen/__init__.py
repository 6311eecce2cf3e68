"""Whether records, and what a teacher writes of them, hold something of a benchmark.

    ids.py     what a record is known by upstream, kept as keyed hashes
    media.py   what records' media look like beside the packs' media
    stage.py   the unit of work: the prepared rows of one unit against all packs
    drafts.py  a teacher's words against all packs

Nothing here decides what becomes of a record: hits and policies meet in `curate.decontaminate.resolve`.
"""
