"""Wordings of the request for a description; `{kind}` is image, volume or video."""

from __future__ import annotations

from synth.phrases import lines

REQUESTS = lines(
    """
    Describe this {kind}.
    What does this {kind} show?
    Give a short description of this {kind}.
    Summarise what is known about this {kind}.
    Please put the {kind} into words.
    Write a brief caption for this {kind}.
    Tell me what can be said about this {kind}.
    Provide a factual account of the {kind}.
    What am I looking at in this {kind}?
    Could you explain in a few sentences what the {kind} contains?
    Caption, please: this {kind}.
    How would you introduce this {kind} to a colleague?
    List the facts that are established for the {kind}.
    I would like a caption for the {kind} that claims nothing unproven.
    For the archive, state what this {kind} is.
    In plain words, what is in the {kind}?
    Report what you can about the present {kind}.
    The {kind} has no caption yet. Write one.
    Let me know by what technique this {kind} was made and what it includes.
    Characterise the {kind} briefly.
    Which information does this {kind} give?
    Someone hands you this {kind}. What do you say about it?
    Compose a concise legend for this {kind}.
    What would stand below this {kind} in a figure?
    Please document the {kind} in a few lines.
    Start by describing the {kind} as a whole.
    Outline the content of this {kind}.
    Give me the essentials on this {kind}.
    State technique, region and content of the {kind}, as far as they are known.
    What is there to know about the {kind} before reading it?
    Be brief and factual: what is this {kind}?
    Turn this {kind} into a short text.
    An overview of the {kind}, please.
    Say what this {kind} is and what has been found or measured in it.
    How can the {kind} be described without guessing?
    Please annotate the {kind} with a sentence or two.
    Draft a description of the {kind} for a data catalogue.
    If this {kind} were listed in a register, what would its entry say?
    A reader cannot see the {kind}. Describe it to them.
    Explain this {kind} from what is recorded of it.
    """
)
