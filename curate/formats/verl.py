"""verl (verl-project/verl@b178a3c): parquet of data_source, prompt, images, videos, ability, reward_model, extra_info,
and `compute_score.py`, the function that its reward loop loads (`custom_reward_function.path`).

Its RLHFDataset drops rows in silence: one whose images do not fit its `<image>` marks counts as too long, and one
beyond `max_prompt_length` goes (the default is 512; its own vision examples set 1024). So marks are counted here, and
`--max-tokens` leaves longer prompts out by name. Images are bytes, because a path is refused by its processor; volumes
stand as slices; clips as a path under `videos`. `ground_truth` is the answer as JSON, in which the verifier and its
tolerance are named; `data_source` is `medcurate`, which no rule of its own answers for.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from curate.formats.base import Asked, MediaFiles, Sample
from curate.formats.ms_swift import shown_as
from manifests.sample import StageName

BATCH = 256
SCORE = '''"""The reward of medcurate's RLVR prompts for verl: each answer is judged by the verifier that it names.

    custom_reward_function.path=compute_score.py custom_reward_function.name=compute_score
"""

import json

from synth.verifiers import score


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    return score(solution_str, json.loads(ground_truth))
'''
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
SCHEMA = pa.schema(
    [
        ("data_source", pa.string()),
        ("prompt", pa.list_(MESSAGE)),
        ("images", pa.list_(pa.struct([("bytes", pa.binary())]))),
        ("videos", pa.list_(pa.struct([("video", pa.string())]))),
        ("ability", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        (
            "extra_info",
            pa.struct(
                [
                    ("split", pa.string()),
                    ("index", pa.int64()),
                    ("question", pa.string()),
                    ("answer", pa.string()),
                    ("id", pa.string()),
                    ("source", pa.string()),
                    ("licence", pa.string()),
                ]
            ),
        ),
    ]
)


class Verl:
    NAME: ClassVar[str] = "verl"
    WHAT: ClassVar[str] = "RLVR parquet and the compute_score module of its reward loop (verl)"
    STAGES: ClassVar[tuple[StageName, ...]] = ("rlvr",)

    def __init__(self, asked: Asked, media: MediaFiles) -> None:
        self.asked = asked
        self.media = media
        self.path = asked.to / f"{asked.split}.parquet"
        self.writer = pq.ParquetWriter(self.path, SCHEMA, compression="zstd")
        self.rows: list[dict[str, Any]] = []
        self.count = 0

    def add(self, sample: Sample) -> None:
        turns, shown = shown_as(sample, self.media)
        lead = [{"role": "system", "content": self.asked.system}] if self.asked.system else []
        prompt = [*lead, *({"role": role, "content": content} for role, content in turns)]
        told = {
            "split": self.asked.split, "index": self.count, "question": turns[-1][1], "answer": sample.answer["gold"],
            "id": sample.key, "source": sample.values["source"], "licence": sample.licence,
        }  # fmt: skip
        truth = json.dumps(sample.answer, sort_keys=True, ensure_ascii=False)
        self.rows.append(
            {
                "data_source": "medcurate",
                "prompt": prompt,
                "images": [{"bytes": (self.asked.to / path).read_bytes()} for path in shown.get("images", [])],
                "videos": [{"video": path} for path in shown.get("videos", [])],
                "ability": sample.values["task"],
                "reward_model": {"style": "rule", "ground_truth": truth},
                "extra_info": told,
            }
        )
        self.count += 1
        if len(self.rows) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        self.writer.write_table(pa.Table.from_pylist(self.rows, schema=SCHEMA))
        self.rows.clear()

    def finish(self) -> list[str]:
        if self.rows:
            self._flush()
        self.writer.close()
        (self.asked.to / "compute_score.py").write_text(SCORE)
        reward = "custom_reward_function.path=compute_score.py"
        return [f"data.train_files={self.path.name} data.max_prompt_length=... (see --max-tokens) {reward}"]
