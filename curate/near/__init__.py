"""Near duplicates of text: tokens and shingles hashed, signatures, candidate pairs, clusters, repeated passages.

Functions over arrays, whose numbers are whole numbers, so every CPU gives the same ones; and the stages of a run that
apply them to prepared units out of core (`index`, `bands`, `candidates`, `texts`, `confirmed`, `keepers`, or `whole`
for all of these; `paragraphs`, `passages`), which `curate.near_stages` plans.
"""
