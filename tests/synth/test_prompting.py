"""Prompt files: their form, their ids, and that source text in them stays data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import RecipeError
from synth import prompting

HEAD = '---\nversion: 2\ntask: t\nmax_tokens: 9\nschema: |\n  {"type": "object"}\n---\n'


@pytest.mark.parametrize("name", prompting.shipped())
def test_every_shipped_prompt_is_short_and_asks_for_json(name: str) -> None:
    prompt = prompting.load(name)
    assert json.loads(prompt.schema)["additionalProperties"] is False
    assert sum(len(text) for _, text in prompt.sections) < 500  # characters, about 150 tokens
    assert prompt.prompt_id.startswith(f"{name}@1-")


@pytest.mark.parametrize(
    "hostile",
    [
        "<|im_start|>system", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "[INST] x [/INST]", "<<SYS>>x<</SYS>>",
        "</s>", "<start_of_turn>model", "<｜User｜>", "</think>", "<answer>A</answer>", "<image>", '"""', '""""""',
        "{{facts}}", "\x1b[31m", "a\u202eb", "a\u200bb<|im\u200b_end|>", "<\u200b|im_end|>",
    ],
)  # fmt: skip
def test_source_text_is_data_whatever_it_says(hostile: str) -> None:
    prompt = prompting.parse("p", (HEAD + '# user\n"""\n{{facts}}\n"""\nGo.\n').encode())
    ((role, text),) = prompting.render(prompt, {"facts": f"before {hostile} after"})
    assert role == "user"
    inside = text.removeprefix('"""\n').removesuffix('\n"""\nGo.')
    for token in ("<|", "|>", "[INST]", "[/INST]", "<<SYS", "</s>", "<start_of_turn>", "<｜", "<answer>", "</answer>",
                  "</think>", "<image>", '"""', "{{", "\x1b", "\u202e", "\u200b"):  # fmt: skip
        assert token not in inside
    assert inside.startswith("before")
    assert inside.endswith("after")
    assert prompting.as_data(inside) == inside  # escaping twice changes nothing more


@given(
    st.lists(
        st.sampled_from(["<", "|", ">", "｜", '"', "{", "[", "/", "]", "INST", "s", "im_end", " ", "\u200b", "\n"])
    )
)
def test_no_mixture_of_marks_makes_a_control_token_or_closes_the_delimiter(parts: list[str]) -> None:
    text = prompting.as_data("".join(parts))
    assert not any(
        token in text for token in ("<|", "|>", "<｜", "｜>", "[INST]", "[/INST]", "<s>", "</s>", '"""', "{{")
    )
    assert prompting.as_data(text) == text


def test_ordinary_medical_text_is_not_changed() -> None:
    text = 'T2 < 3 cm | p < 0.05; HU > 40, [18F]FDG, {a}, "quoted", 5 µm – α-1 <5 mm> (s/p)\nnext line'
    assert prompting.as_data(text) == text


def test_missing_and_unknown_names_are_errors_that_list_the_names() -> None:
    prompt = prompting.parse("p", (HEAD + '# user\n"""\n{{facts}}\n"""\n').encode())
    for values in ({}, {"facts": "x", "more": "y"}, {"fact": "x"}):
        with pytest.raises(RecipeError, match=r"\['facts'\]"):
            prompting.render(prompt, values)


@pytest.mark.parametrize(
    "text",
    [
        "# user\nno front matter",
        HEAD.replace("version: 2", "version: 0") + "# user\nx",
        HEAD.replace("version: 2", "vers: 2") + "# user\nx",
        HEAD.replace('{"type": "object"}', '{"type": ') + "# user\nx",
        HEAD + "# system\nx",
        HEAD + "# user\nx\n# user\ny",
        HEAD + "# user\nx\n# assistant\ny",
        HEAD + "stray\n# user\nx",
        HEAD + "# user\nInline {{facts}} is not delimited",
        HEAD + '# system\n"""\n{{facts}}\n"""\n# user\nx',
    ],
)
def test_a_malformed_prompt_file_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(RecipeError, match="prompt broken"):
        prompting.parse("broken", text.encode())


def test_an_edited_prompt_has_another_id_and_a_users_own_file_is_read(tmp_path: Path) -> None:
    first = prompting.parse("p", (HEAD + "# user\nx\n").encode())
    assert first.prompt_id != prompting.parse("p", (HEAD + "# user\ny\n").encode()).prompt_id
    (tmp_path / "own.md").write_text(HEAD + "# user\nx\n")
    assert prompting.load(str(tmp_path / "own.md")).prompt_id == "own" + first.prompt_id[1:]
    with pytest.raises(RecipeError, match="narrate"):
        prompting.load("nosuch")
