"""What media look like: hashes that survive re-encoding, and the pixels that confirm what they suggest."""
