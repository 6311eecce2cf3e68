"""In an environment with `datasets`: how many rows load_dataset gives of an export, and that its pictures open."""

from __future__ import annotations

import json
import sys


def main(folder: str) -> None:
    import datasets

    loaded = datasets.load_dataset(folder, split="train")
    media = 0
    for row in loaded:
        for image in row["images"]:
            image.load()
            media += 1
        media += len(row["videos"]) + len(row["volumes"])
    print(json.dumps({"rows": len(loaded), "media": media}))


if __name__ == "__main__":
    main(sys.argv[1])
