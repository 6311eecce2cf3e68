"""Near duplicates of text: tokens and shingles hashed, signatures, candidate pairs, clusters, repeated passages.

Everything here is a pure function over arrays; numbers are whole numbers, so every CPU gives the same ones.
"""
