"""In verl's environment: how many prompts its RLHFDataset keeps of an export, with its filter of long ones on, and that
`compute_score` gives the gold its reward."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path


def main(folder: str) -> None:
    import os

    os.chdir(folder)
    from omegaconf import OmegaConf
    from tiny_qwen import processor
    from verl.utils.dataset.rl_dataset import RLHFDataset

    made = processor()
    config = OmegaConf.create(
        {"max_prompt_length": 16384, "filter_overlong_prompts": True, "cache_dir": "cache", "truncation": "error"}
    )
    loaded = RLHFDataset(["train.parquet"], made.tokenizer, config, made)
    spec = importlib.util.spec_from_file_location("compute_score", Path(folder) / "compute_score.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rewarded = 0
    for number in range(len(loaded)):
        row = loaded[number]
        truth = row["reward_model"]["ground_truth"]
        gold = json.loads(truth)
        said = f"<answer>{gold['gold'].split('|')[0]} {gold['unit']}</answer>"
        rewarded += module.compute_score(row["data_source"], said, truth, row["extra_info"]) == 1.0
    print(json.dumps({"rows": len(loaded), "rewarded": rewarded}))


if __name__ == "__main__":
    main(sys.argv[1])
