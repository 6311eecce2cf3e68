"""In LLaMA-Factory's environment: how many rows its loader aligns of an export, and that its own plugin finds as many
marks as media in each."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(folder: str) -> None:
    os.chdir(folder)
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.mm_plugin import get_mm_plugin
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    (name,) = json.loads(Path("dataset_info.json").read_bytes())
    data = DataArguments(dataset=name, dataset_dir=folder, media_dir=folder, template="qwen2_vl", cutoff_len=65536)
    model = ModelArguments(model_name_or_path="none")
    training = Seq2SeqTrainingArguments(output_dir="trained", do_train=True)
    stage = "pt" if name.endswith("pretrain") else "sft"
    (attributes,) = get_dataset_list([name], folder)
    loaded = _load_single_dataset(attributes, model, data, training)
    from tiny_qwen import processor

    plugin = get_mm_plugin("qwen2_vl", image_token="<|image_pad|>", video_token="<|video_pad|>")
    made = processor()
    media = 0
    for row in loaded:
        images, videos = row["_images"] or [], row["_videos"] or []
        media += len(images) + len(videos)
        if stage == "sft" and (images or videos):
            plugin.process_messages(row["_prompt"] + row["_response"], images, videos, [], made)
    print(json.dumps({"rows": len(loaded), "media": media}))


if __name__ == "__main__":
    main(sys.argv[1])
