"""Wordings of multiple-choice questions; the options follow on lines of their own.

`{kind}` is image, volume or video; `{title}` is a source's text, quoted; `{system}` names a classification. Families
with a number for an answer take their questions from the measuring families, whose units they name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import lines

_MODALITY = """
Which imaging technique produced this {kind}?
By which technique was this {kind} acquired?
What is the imaging modality of this {kind}?
Which modality does this {kind} come from?
Name the modality of the {kind}.
How was this {kind} made?
Look at the {kind}: with which method was it obtained?
Modality of this {kind}?
Could you tell me what kind of imaging this {kind} comes from?
For the archive, under which modality should the {kind} be filed?
Identify the technique behind the {kind} shown.
What sort of device gives {kind}s like this one?
I would like to know by what means this {kind} was taken.
From its appearance, to which modality would you assign this {kind}?
The caption of this {kind} is missing. Which modality should it state?
A student asks what type of imaging this {kind} is. What do you answer?
Choose the modality that matches the {kind}.
Which of these techniques fits what is seen in the {kind}?
Please sort this {kind} by modality: where does it go?
Among the modalities listed, which one generated the {kind}?
What was used to look at the subject when this {kind} arose?
Tell the technique from the {kind} itself: which one is it?
Which physical method of imaging lies behind this {kind}?
Under this {kind} in a textbook, which technique would be named?
Determine the imaging method used for the {kind}.
The {kind} you see stems from one of the following methods. Which one?
Judging by contrast, texture and field of view, with what was the {kind} made?
How would you label this {kind} by modality?
Put this {kind} into the right category of imaging.
Please fill in the blank: modality of the {kind} = ___.
To what type of imaging do we owe this {kind}?
State which imaging method the present {kind} results from.
In what technique does this {kind} have its origin?
Let me know the imaging type of the {kind}.
Given only the {kind}, which technique do you recognise?
What is the correct name of the method that recorded this {kind}?
Find the imaging modality that best explains the {kind}.
To make another {kind} like this one, which technique would you need?
Which of the following did it take to obtain the {kind}?
Which entry describes the way in which the {kind} was captured?
"""

_PLANE = """
In which plane do the slices of this {kind} lie?
What is the plane of the slices in this {kind}?
Which anatomical plane do the slices of the {kind} follow?
Along which plane was this {kind} sliced?
Name the slice plane of the {kind}.
How are the slices of this {kind} oriented in the body?
Slice orientation of the {kind}?
Could you tell me in what plane this {kind} was reconstructed?
For display, which plane do the native slices of this {kind} show?
Scrolling through the {kind}, you see slices of one plane. Which?
Identify the orientation in which the {kind} is stacked.
If you print one slice of this {kind}, what plane is on the paper?
I would like to know the standard plane to which the slices of the {kind} are parallel.
To which of the body's main planes does a slice of this {kind} correspond?
The slices of the {kind} cut the patient in one direction. What is that plane called?
Please state the plane of this {kind} as a radiologist would.
Determine from the {kind} how it was sliced.
What view does each slice of this {kind} give?
With regard to the patient, how do the slices of the {kind} run?
Choose the plane that fits the slices of the {kind}.
Which term describes the slice direction of this {kind}?
Let me know how this {kind} is oriented, by its slice plane.
Looking at a middle slice of the {kind}, which plane do you recognise?
A viewer opens this {kind} in its native plane. Which plane is that?
By what plane is the stack of this {kind} built up?
Please fill in the blank: native plane of the {kind} = ___.
Work out the plane that the slices of the {kind} represent.
The technologist set one plane for this {kind}. Which one?
Report the acquisition plane of the {kind}.
What orientation would you note for the slices that make up this {kind}?
Between the usual planes, where do the slices of this {kind} belong?
Tell the plane of the {kind} from the anatomy on its slices.
How was the patient cut, so to speak, in the slices of this {kind}?
In terms of anatomical planes, what is a single slice of this {kind}?
Find the plane name for the slices shown in the {kind}.
One plane is right for the slices of the {kind}. Which is it?
Which plane must be written next to the slices of this {kind}?
State how the slices in the {kind} are aligned to the body.
When stepping from slice to slice in this {kind}, in which plane does each one lie?
What kind of cross-section do the slices of the {kind} provide?
"""

_LARGEST = """
Which of these segmented structures has the largest volume?
Which of these structures is the largest by segmented volume?
By volume, which of these segmented structures comes first?
Which of these masks encloses the greatest volume?
Name the structure below whose mask takes up the most space.
Compare the masks listed: which one is the most voluminous?
Four or fewer structures are offered. Which has more volume than the others?
Of the structures listed, which would fill the most millilitres?
Volumetry was done for each option. Where was the highest value found?
Pick the largest structure from the list, by segmented volume.
Could you tell me which option is the biggest by volume?
Rank the options by volume. What is at the top?
If every option were poured into a measuring cup, which would give the most?
Which label below covers the greatest part of the scan, in volume?
Among the options, find the structure with the maximum segmented volume.
For the report: the most voluminous of these structures is which?
I would like to know which one of the options exceeds the rest in volume.
Determine the structure that is largest, going by the masks.
Judged by the segmentation, which of the following is the bulkiest?
To which of the following structures does the most tissue belong?
Which choice names the structure of greatest volume in this scan?
Please decide which of the following was segmented with the largest volume.
In this patient, which of the structures given is the largest?
Which option wins by volume?
One of the structures below is larger than all the others. Which?
Sort the following by volume, descending, and give the first.
Tell me the structure whose segmentation holds the most millilitres.
Taking the masks at face value, what is the largest of the options?
Below are segmented structures of this scan. Which one needs the most room?
Measured in millilitres, which option is ahead?
Look at the sizes of the structures listed here. Which one is the greatest?
Select the structure with the highest volume measured in this scan.
Here it is not the textbook that counts but the mask: which structure is largest?
In the list below, which structure contributes the most volume?
Order the masks of the options from small to large; which ends the row?
Which structure would you name if asked for the biggest of these by volume?
By the number of millilitres inside its mask, what option leads?
Find the most space-filling item of the list.
What do the volumes of the listed masks say about which is largest?
Out of the structures offered, identify the one with the top volume.
"""

_LABEL = """
Which of these labels does the source give this {kind}?
How is this {kind} classified?
Which class does this {kind} belong to?
Which label applies to this {kind}?
What does this {kind} show, in terms of the classes below?
Assign the {kind} to one of the classes.
Diagnosis or class of this {kind}?
Could you tell me which category fits the {kind}?
Look at the {kind} and choose its label.
For the data set, how should this {kind} be labelled?
Among the following, what best describes the {kind}?
I would like this {kind} sorted into its class. Which is it?
The {kind} carries exactly one of these labels. Which one?
Name the class that the {kind} was given.
What would an expert write under this {kind}?
Identify the category of the {kind}.
Which entry of the list is the reference label of this {kind}?
Please classify what is seen in the {kind}.
Of the classes listed, to which would you assign the {kind}?
Determine the right label for the {kind} shown.
What is the ground truth class of this {kind}?
From the appearance of the {kind}, which label do you infer?
Give the class of the {kind}.
A reader annotated this {kind} with one class. Which?
Under which heading does this {kind} fall?
Please fill in the blank: label of the {kind} = ___.
One label is correct for the {kind}, the others are not. Find it.
Let me know what the {kind} represents, by choosing from the list.
As what was the {kind} recorded by its source?
Decide between the classes offered for this {kind}.
Tell me the category under which the {kind} is kept.
Which finding class has been attached to the {kind}?
On seeing this {kind}, which of the classes comes into question as the recorded one?
Match the {kind} with its class.
State the annotated class for the present {kind}.
What answer would the annotation file give for this {kind}?
The task is classification: where does the {kind} belong?
How did those who collected this {kind} label it?
Which of the terms below goes with the {kind}?
Choose the annotation that the {kind} has in its data set.
"""

_CODE = """
Which {system} code stands for "{title}"?
What is the {system} code of "{title}"?
Under which {system} code is "{title}" listed?
Which of these {system} codes is assigned to "{title}"?
Code "{title}" in {system}.
"{title}": which {system} code applies?
The record says "{title}". How is that coded in {system}?
Could you give the {system} code that a coder enters for "{title}"?
For billing, "{title}" needs its {system} code. Which is it?
Find "{title}" in {system}; what code do you read there?
Translate the diagnosis text "{title}" to a code of {system}.
In the tabular list of {system}, what precedes the words "{title}"?
Choose the {system} entry that reads "{title}".
What does one type to code "{title}" by {system}?
Which code has the description "{title}" in {system}?
Given the description "{title}", name the matching code ({system}).
{system} has exactly one of these codes for "{title}". Which?
I would like to encode "{title}" with {system}. What is the right code?
Look up "{title}": the {system} code is which of the following?
Assign a {system} code to "{title}".
A discharge letter ends with "{title}". State the {system} code.
By {system}, "{title}" corresponds to what code?
Which of the codes below means "{title}" according to {system}?
Identify the code in {system} whose title is "{title}".
Medical coding, {system}: "{title}" = ?
Tell me how {system} encodes "{title}".
What code would {system} users write down for "{title}"?
Select the {system} code to go with the term "{title}".
Please match "{title}" with its code in {system}.
The description "{title}" belongs to one code of {system}. Find it.
On the form, next to "{title}", which {system} code must stand?
Determine under what code {system} keeps "{title}".
Let me know the {system} code for this entry: "{title}".
Only one option codes "{title}" correctly in {system}. Which one?
In {system} terms, what is "{title}" as a code?
How would a hospital report "{title}" as a {system} code?
If the diagnosis is worded "{title}", what {system} code results?
Which alphanumeric code does {system} attach to "{title}"?
Read as {system}, which of these codes expands to "{title}"?
Name the option that is the {system} code for the text "{title}".
"""

_CHAPTER = """
To which chapter of the classification does "{title}" belong?
In which chapter is "{title}" listed?
Which chapter contains "{title}"?
Where in the classification does "{title}" stand?
"{title}" is found in what chapter?
Name the chapter of "{title}".
Into what chapter would a coder turn to find "{title}"?
Could you tell me the chapter under which "{title}" is filed?
The entry reads "{title}". Which chapter is it part of?
Find the chapter for the term "{title}".
By chapter, how is "{title}" classified?
Which heading of the classification covers "{title}"?
Choose the chapter that has "{title}" among its codes.
Open the tabular list at "{title}": which chapter are you in?
Sort "{title}" into its chapter.
I am looking for "{title}" in the tabular list. Which chapter should I open?
Among the chapters below, which includes "{title}"?
What group of conditions, by chapter, does "{title}" count among?
Assign the condition "{title}" to one chapter.
For statistics by chapter, where is a case of "{title}" counted?
Chapter of "{title}"?
State which part of the classification deals with "{title}".
Identify the chapter title above the entry "{title}".
Given "{title}", what chapter does its code fall into?
A case is coded as "{title}". Under what chapter does it appear in the yearly table?
Let me know in which chapter the description "{title}" occurs.
Which of the following chapters is the home of "{title}"?
The classification keeps "{title}" under one main heading. Which?
Please match "{title}" to a chapter.
Tell me the chapter heading that goes with "{title}".
Of these chapters, pick the one in which "{title}" is coded.
Under what broad category is "{title}" placed?
Determine the chapter responsible for "{title}".
If you browse from the chapters down to "{title}", with which do you start?
What is the top-level heading for "{title}"?
In the hierarchy, "{title}" has one chapter as its ancestor. Name it.
How does the classification group "{title}" at its highest level?
Where would "{title}" be looked up, chapter-wise?
Which main section lists "{title}"?
Only one of the chapters offered holds "{title}". Which one?
"""

_PLACE = """
Where does the centre of the {a} lie from the centre of the {b}?
In which directions is the centroid of the {a} displaced from that of the {b}?
Going from the centroid of the {b} to that of the {a}, which two directions do you take?
How is the centre of the {a} placed relative to that of the {b}, along both axes offered?
Which pair of directions leads from the {b} centre to the {a} centre?
Relative position of the {a} centroid to the {b} centroid?
Describe in two terms where the {a} centroid lies from the {b} centroid.
Could you tell me the position of the {a} centre with the {b} centre as reference?
With the {b} centroid as origin, in what quadrant does the {a} centroid fall?
Centres compared: {a} against {b}. Which description holds?
For the report, how would you locate the centre of the {a} from that of the {b}?
Judging by the centroids of the masks, where is that of the {a} from that of the {b}?
Choose the relation of the {a} to the {b}, centre to centre.
What is the anatomical relation of the {a} centre to the {b} centre?
In the patient's own directions, how do you get from the middle of the {b} to the middle of the {a}?
One option gives the place of the {a} with respect to the {b}, by centroid. Which?
From the {b} centre, the {a} centre is reached by moving in which directions?
Determine for two axes how the centroid of the {a} relates to the centroid of the {b}.
Please fill in the blank: the {a} centroid is ___ to the {b} centroid.
I would like to know where the {a} mask sits from the {b} mask, by their centres.
Which combination of directions is right for the {a} centre seen from the {b} centre?
Find the position of the centre of mass of the {a} with regard to that of the {b}.
How would an anatomist describe the {a} centroid in relation to the centroid of the {b}?
Starting at the middle of the {b}, where do you look for the middle of the {a}?
State the two-axis relation between the {a} centre and the {b} centre.
Compare two centroids, {a} first, {b} second: how does the first lie to the second?
A pointer moves from the {b} centroid to the {a} centroid. In what directions does it go?
On both axes named in the options, how is the {a} centre offset from the {b} centre?
Let me know which option describes the way from the {b} centre to the {a} centre.
Regarding location in the patient: what is true of the {a} centroid as against the {b} centroid?
Work out in which patient directions the mean position of the {a} differs from that of the {b}.
The {b} centre serves as landmark. Where is the centre of the {a}?
By the masks, in what sense is the {a} centroid shifted relative to the {b} centroid?
Pick the description that fits the {a} centre if the {b} centre is taken as zero.
Spatially, how do the centres of the {a} and the {b} relate, as seen from the latter?
Which of these places the {a} centroid correctly with respect to the {b} centroid?
Tell me how to find the {a} centre when I am at the centre of the {b}.
What directions, in anatomical terms, separate the {a} centre from that of the {b}?
If the centroid of the {b} is known, on which sides of it is that of the {a}?
Name both directions in which the {a} centre departs from the {b} centre.
"""

STEMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "modality": lines(_MODALITY),
        "plane": lines(_PLANE),
        "largest": lines(_LARGEST),
        "label": lines(_LABEL),
        "code": lines(_CODE),
        "chapter": lines(_CHAPTER),
        "place": lines(_PLACE),
    }
)
