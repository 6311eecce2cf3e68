"""Miniatures of benchmarks in their published layouts, written from what each reader's LAYOUT says."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from sources.benchmarks import BenchmarkItem

OPTIONS = ("Lung abscess", "Pleural empyema", "Hydatid cyst", "Bronchial carcinoma")
QUESTION = "Which diagnosis explains the cavity with an air-fluid level?"
ANSWER = OPTIONS[2]


def png(shade: int = 7) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (24, 16), shade).save(buffer, "PNG")
    return buffer.getvalue()


def table(path: Path, rows: Sequence[dict[str, Any]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


def text(path: Path, value: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value, encoding="utf-8")


def lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    text(path, "".join(json.dumps(row) + "\n" for row in rows))


def inside(shade: int = 7) -> dict[str, Any]:
    return {"bytes": png(shade), "path": "x.png"}


LETTERED = dict(zip("ABCD", OPTIONS, strict=True))


def vqa_rad(root: Path) -> None:
    parquet(root / "data/test-00000.parquet", [{"image": inside(), "question": QUESTION, "answer": ANSWER}])


def slake(root: Path) -> None:
    row = {
        "img_id": 1,
        "img_name": "xmlab1/source.jpg",
        "question": QUESTION,
        "answer": ANSWER,
        "q_lang": "en",
        "qid": 9,
    }
    text(root / "test.json", json.dumps([row]))


def pmc_vqa(root: Path) -> None:
    row = {"Figure_path": "PMC8253797_Fig4_41.jpg", "Caption": "A cavity.", "Question": f" {QUESTION}", "Answer": "C"}
    row |= {f"Choice {k}": f" {k}:{v} " for k, v in LETTERED.items()}
    table(root / "test.csv", [row])


def omnimedvqa(root: Path) -> None:
    row = {"dataset": "X", "question_id": "X_0001", "question": QUESTION, "gt_answer": ANSWER}
    row |= {"image_path": "Images/X/1.png"} | {f"option_{k}": v for k, v in LETTERED.items()}
    text(root / "QA_information/Open-access/X.json", json.dumps([row]))


def mmmu(root: Path) -> None:
    row: dict[str, Any] = {
        "id": "test_Pharmacy_1",
        "question": f"<image 1> {QUESTION}",
        "options": repr(list(OPTIONS)),
        "answer": "C",
    }
    row |= {"explanation": "", "image_1": inside(), "image_2": None, "image_3": None}
    parquet(root / "Pharmacy/test-00000-of-00001.parquet", [row])


def medxpertqa(root: Path) -> None:
    choices = " ".join(f"({k}) {v}" for k, v in LETTERED.items())
    row = {"id": "MM-1", "question": f"{QUESTION}\nAnswer Choices: {choices}", "options": LETTERED, "label": "C"}
    lines(root / "MM/test.jsonl", [row | {"images": ["MM-1-a.jpeg"]}])


def vlmevalkit(name: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        row = {"index": 5, "image": base64.b64encode(png()).decode(), "question": QUESTION, **LETTERED, "answer": "C"}
        table(root / name, [row], "\t")

    return make


def medframeqa(root: Path) -> None:
    row: dict[str, Any] = {
        "question_id": "mf1",
        "video_id": "dQw4w9WgXcQ",
        "question": QUESTION,
        "options": list(OPTIONS),
    }
    row |= {"correct_answer": "C", "image_1": inside(1), "image_2": inside(2), "image_3": None}
    parquet(root / "data/test-00000.parquet", [row])


def m3d_vqa(root: Path) -> None:
    row = {"Image Path": "M3D_Cap_npy/ct_quizze/006291/Axial_C__portal.npy", "Question Type": "4", "Question": QUESTION}
    row |= {f"Choice {k}": v for k, v in LETTERED.items()} | {"Answer": ANSWER, "Answer Choice": "C"}
    table(root / "M3D_VQA_test.csv", [row])


def three_d_rad(root: Path) -> None:
    row = {"Task": 5, "Subtask": 1, "VolumeName": "test_1005_b_1.nii.gz", "Question": QUESTION, "Answer": ANSWER}
    row |= {"QuestionType": "Close", "AnswerChoice": "C"} | {f"Choice {k}": v for k, v in LETTERED.items()}
    table(root / "3DRAD/test/Task5_Static_Temporal_Diagnosis/b.csv", [row])


def ct_rate(root: Path) -> None:
    row = {"VolumeName": "valid_12_b_2.nii.gz", "ClinicalInformation_EN": "", "Technique_EN": "",
           "Findings_EN": "A cavity.", "Impressions_EN": "Hydatid cyst."}  # fmt: skip
    table(root / "dataset/radiology_text_reports/validation_reports.csv", [row])


def deeptumorvqa(root: Path) -> None:
    mc = f"{QUESTION} " + " ".join(f"{k}: {v}" for k, v in LETTERED.items())
    row = {
        "qid": "bench_00017",
        "image_id": "BDMAP_00008446",
        "spacing": "[1 1 5]",
        "question": QUESTION,
        "answer": ANSWER,
    }
    text(root / "benchmark/test_qa.json", json.dumps({"version": 2, "questions": [row | {"mc_question": mc}]}))


def amos_mm(root: Path) -> None:
    qa = {"type": "p", "question": QUESTION, "options": LETTERED, "answer": "C"}
    labels = {"report": {"findings": {"chest": "A cavity."}, "impression": "Hydatid cyst."}, "qa": [qa]}
    record = {"image": "./imagesVa/amos_7008.nii.gz", "meta": {}, "labels": labels}
    text(root / "dataset.json", json.dumps({"training": [], "validation": [record]}))


def surgpub_video(root: Path) -> None:
    row = {"folder": "a4f9_clip_03", "path": "a4f9", "start": "0", "end": "9", "question_closed": QUESTION}
    row |= {**dict(zip("ABCD", OPTIONS, strict=True)), "answer_key": "C"}
    table(root / "annotations/bench/qa_test.csv", [row])


def medvidbench(root: Path) -> None:
    row = {"conversations": [{"from": "human", "value": f"<video>\n{QUESTION}"}], "video": ["f/0001.jpg", "f/0002.jpg"]}
    row |= {"metadata": {"video_id": "VID68", "fps": "1.0"}, "qa_type": "tal", "data_source": "CholecT50"}
    text(root / "cleaned_test_data_11_04.json", json.dumps([row]))


def mmxu(root: Path) -> None:
    folder = "files/p10/p10000032"
    row = {"id": "1", "content_type": "x", "question": QUESTION, "options": LETTERED, "answer": "C"}
    row |= {"cur_image_path": f"{folder}/s50414267/a.jpg", "prior_image_path": f"{folder}/s53189527/b.jpg"}
    lines(root / "MMXU-test.jsonl", [row])


def medqa(root: Path) -> None:
    row = {"question": QUESTION, "answer": ANSWER, "options": LETTERED, "meta_info": "step1", "answer_idx": "C"}
    lines(root / "phrases_no_exclude_test.jsonl", [row])


def medmcqa(root: Path) -> None:
    keys = ("opa", "opb", "opc", "opd")
    row = {"question": QUESTION, "exp": None, "cop": 3, "id": "u-1"} | dict(zip(keys, OPTIONS, strict=True))
    lines(root / "dev.json", [row])


def pubmedqa(root: Path) -> None:
    row = {"QUESTION": QUESTION, "CONTEXTS": ["One.", "Two."], "final_decision": "no", "LONG_ANSWER": ANSWER}
    text(root / "data/ori_pqal.json", json.dumps({"21645374": row, "1": row}))
    text(root / "data/test_ground_truth.json", json.dumps({"21645374": "no"}))


def mmlu(root: Path) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerow([QUESTION, *OPTIONS, "C"])
    text(root / "data/test/anatomy_test.csv", buffer.getvalue())
    text(root / "data/test/astronomy_test.csv", "What is a star?,a,b,c,d,A\n")


def vqa_med(root: Path) -> None:
    text(root / "VQAMed2019_Test_Questions_w_Ref_Answers.txt", f"synpic54082|modality|{QUESTION}|{ANSWER}\n")


def pathvqa(root: Path) -> None:
    text(root / "test.json", json.dumps([{"image": "test_0261", "question": QUESTION, "answer": ANSWER}]))


@dataclass(frozen=True)
class Mini:
    name: str
    make: Callable[[Path], None]
    split: str = "test"
    options: bool = True
    ids: tuple[str, str, str] = ("", "", "")  # patient, study, video
    media: int = 0  # images, volumes and videos, named or inside
    answer: str = ANSWER
    count: int = 1  # items; the last one is compared


MINIS = (
    Mini("vqa-rad", vqa_rad, options=False, media=1),
    Mini("slake", slake, options=False, ids=("", "slake:xmlab1", ""), media=1),
    Mini("pathvqa", pathvqa, options=False, media=1),
    Mini("pmc-vqa", pmc_vqa, ids=("", "PMC8253797", ""), media=1),
    Mini("omnimedvqa", omnimedvqa, media=1),
    Mini("mmmu-medical", mmmu, media=1),
    Mini("medxpertqa", medxpertqa, media=1),
    Mini("gmai-mmbench", vlmevalkit("GMAI-MMBench_VAL.tsv"), "validation", media=1),
    Mini("gmai-mmbench", vlmevalkit("GMAI_mm_bench_TEST_part_1.tsv"), media=1),
    Mini("medq-deg", vlmevalkit("MedQ-Robust-simulate-test.tsv"), media=1),
    Mini("medframeqa", medframeqa, ids=("", "", "dQw4w9WgXcQ"), media=2),
    Mini("m3d-vqa", m3d_vqa, ids=("", "m3d:ct_quizze/006291", ""), media=1),
    Mini("3d-rad", three_d_rad, ids=("valid_1005", "valid_1005_b", "")),
    Mini("ct-rate", ct_rate, "valid", options=False, ids=("valid_12", "valid_12_b", ""), media=1, answer=""),
    Mini("deeptumorvqa", deeptumorvqa, ids=("BDMAP_00008446", "BDMAP_00008446", ""), media=3),
    Mini("amos-mm", amos_mm, "validation", ids=("amos_7008", "amos_7008", ""), media=1, count=2),
    Mini("surgpub-video", surgpub_video, ids=("", "", "a4f9_clip_03")),
    Mini("medvidbench", medvidbench, options=False, ids=("", "", "CholecT50:VID68"), media=2, answer=""),
    Mini("mmxu", mmxu, ids=("p10000032", "s50414267", ""), media=2),
    Mini("medqa", medqa),
    Mini("medmcqa", medmcqa, "validation"),
    Mini("pubmedqa", pubmedqa, options=False, ids=("", "pmid:21645374", "")),
    Mini("mmlu-medical", mmlu),
    Mini("vqa-med-2019", vqa_med, options=False, media=1),
)


def media_of(item: BenchmarkItem) -> int:
    return len(item.images) + len(item.volumes) + len(item.videos) + len(item.embedded)
