"""Interleaved documents: pictures stand where their text names them, and the words stay the source's own."""

from __future__ import annotations

import pytest

from synth.tasks.interleaved import placed, places

TEXT = "Chest films of two days.\n\nFigure 1 shows consolidation.\n\n\nIn Fig. 2 it is gone, unlike figure 1."


def test_a_picture_stands_before_the_paragraph_that_first_names_it() -> None:
    at = places(TEXT, 2)
    assert [TEXT[place:][:6] for place in at] == ["Figure", "In Fig"]
    shown = placed(TEXT, at)
    assert shown.split("<image>\n")[1].startswith("Figure 1 shows")
    assert shown.split("<image>\n")[2].startswith("In Fig. 2")


@pytest.mark.parametrize("text", [TEXT, "One line.", "a\n \n\t b\n\n\n\nfigure 3", "Figures 2 and 1\n\nFig 10"])
@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_the_words_are_left_as_they_are(text: str, pictures: int) -> None:
    shown = placed(text, sorted(places(text, pictures)))
    assert shown.replace("<image>\n", "") == text
    assert shown.count("<image>") == pictures


def test_a_picture_that_nobody_names_stands_at_the_beginning() -> None:
    assert places("A study.\n\nFigure 10 is elsewhere.", 2) == [0, 0]
