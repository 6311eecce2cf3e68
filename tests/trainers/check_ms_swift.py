"""In ms-swift's environment: how many rows its loader keeps of an export, malformed ones being errors."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(folder: str) -> None:
    os.chdir(folder)
    from swift.dataset import load_dataset

    (file,) = [p for p in Path().glob("*.jsonl") if p.name != "left_out.jsonl"]
    loaded, _ = load_dataset([str(file)], strict=True, remove_unused_columns=False, load_from_cache_file=False)
    media = 0
    for row in loaded:
        said = "".join(m["content"] or "" for m in row["messages"])
        for mark, name in (("<image>", "images"), ("<video>", "videos")):
            listed = row.get(name) or []
            assert said.count(mark) == len(listed), (said, listed)
            media += len(listed)
    told = {"rows": len(loaded), "media": media}
    if Path("medcurate_reward.py").exists():
        sys.path.insert(0, folder)
        import medcurate_reward  # noqa: F401 - registers itself, as `--external_plugins` imports it
        from swift.rewards import orms

        judge = orms["medcurate"]()
        golds = [json.loads(row["solution"]) for row in loaded]
        said = [f"<answer>{g['gold'].split('|')[0]} {g['unit']}</answer>" for g in golds]
        told["rewarded"] = int(sum(judge(said, solution=[row["solution"] for row in loaded])))
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
