"""In Megatron-Energon's environment: how many samples its loader gives of an export, each once, with its media."""

from __future__ import annotations

import json
import sys


def main(folder: str) -> None:
    sys.path.insert(0, folder)
    from medcurate_task import MedcurateTaskEncoder
    from megatron.energon import WorkerConfig, get_loader, get_train_dataset

    dataset = get_train_dataset(
        folder,
        worker_config=WorkerConfig(rank=0, world_size=1, num_workers=0),
        batch_size=1,
        shuffle_buffer_size=None,
        max_samples_per_sequence=None,
        task_encoder=MedcurateTaskEncoder(),
        repeat=False,
    )
    seen, media = set(), 0
    for batch in get_loader(dataset):
        for sample in batch:
            seen.add(sample.__key__)
            media += len(sample.media)
    print(json.dumps({"rows": len(seen), "media": media}))


if __name__ == "__main__":
    main(sys.argv[1])
