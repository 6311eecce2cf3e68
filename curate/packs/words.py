"""Which tokens say something: the judgement behind which runs of tokens may speak for a leak.

A run of tokens is evidence only if it would hardly be written twice independently. Two rules, both decided when a pack
is made, so that checking is a look-up:

- it holds enough tokens that say something (`points`): function words, the phrases of exam questions (which of the
  following, year old, presents) and single letters say nothing, a number half as much as a word, a character of a
  script without spaces three eighths;
- it stands in at most `MAX_ITEMS` items of the benchmark: what a benchmark repeats is its template.
"""

from __future__ import annotations

from curate.text import is_unspaced

MAX_ITEMS = 3
WORD, NUMBER, CHARACTER = 8, 4, 3
# points that a run needs, by its length: a pair, of tokens that say something, a word and a number; of four tokens two
# words; of eight three, or all where they are characters; of thirteen five
NEEDED = {2: 12, 4: 16, 8: 24, 13: 39}

_FUNCTION = (
    "a about above after again against all also although among an and another any are as at be because been before "
    "being below between both but by can could did do does doing down during each either few for from further had has "
    "have having he her here hers him his how however i if in into is it its itself may me might more most must my "
    "neither no nor not of off on once one only or other our out over own per same she should since so some such than "
    "that the their them then there these they this those through thus to too two under until up upon us very via was "
    "we were what when where whether which while who whom whose why will with within without would yet you your "
)
_EXAM = (
    "following likely best next step correct true false except statement statements answer question option options "
    "choice choices choose select based image images picture figure shown shows show seen see scan finding findings "
    "given patient patients year years old man woman boy girl male female history presents presented presenting "
    "presentation comes brought physician doctor clinic hospital department emergency examination reveals evaluation "
    "diagnosis management treatment appropriate cause common associated study studies results conclusion conclusions "
    "methods background objective objectives aim purpose significant significantly compared group groups respectively "
    "total mean used using use "
)
_SINGLE = "abcdefghijklmnopqrstuvwxyz0123456789%+<>=±−×÷≤≥°µμαβγδ"
SILENT = frozenset((_FUNCTION + _EXAM).split()) | frozenset(_SINGLE)
# labels of questions and options: left out where a question is compared together with its options
LABELS = (*"abcdefghijq123456", "question", "option", "options", "choice", "choices", "answer")


def points(token: str) -> int:
    """How much a token of a comparison form says."""
    if token in SILENT:
        return 0
    if len(token) == 1 and is_unspaced(token):
        return CHARACTER
    return NUMBER if token[0].isdigit() else WORD
