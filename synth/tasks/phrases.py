"""The wordings of the measuring questions: at least eight questions and three answers per family.

`{a}` and `{b}` are structures in plain words, always behind "the", and never a subject whose number a verb must follow;
`{v}` is the value as the proof prints it. A wording names the convention wherever a number depends on one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

QUESTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "volume_ml": (
            "What is the volume of the {a} in millilitres?",
            "How many millilitres does the mask of the {a} occupy?",
            "Give the volume of the {a} in mL.",
            "Please measure the volume of the {a}, in mL.",
            "What volume does the mask of the {a} enclose, in mL?",
            "State the segmented volume of the {a} in millilitres.",
            "Based on the segmentation, what is the volume of the {a} in mL?",
            "Can you quantify the volume of the {a} in mL?",
            "Determine the volume (mL) of the {a}.",
        ),
        "longest_axis_mm": (
            "What is the longest axis of the {a} in millimetres?",
            "What is the largest three-dimensional diameter of the {a}, in mm?",
            "Give the longest diameter of the {a} in mm.",
            "How many millimetres is the longest axis of the {a}?",
            "Measure the greatest extent of the {a} in any direction, in mm.",
            "What is the largest distance between two points of the {a}, in millimetres?",
            "Determine the maximum 3D diameter (mm) of the {a}.",
            "State the length of the longest axis of the {a} in mm.",
        ),
        "count": (
            "How many separate parts does the mask of the {a} have?",
            "Into how many connected components does the mask of the {a} fall?",
            "Count the connected components of the {a}.",
            "How many disconnected pieces make up the mask of the {a}?",
            "What is the number of connected components in the segmentation of the {a}?",
            "Give the number of separate regions marked as {a}.",
            "How many distinct regions are marked as {a}?",
            "State how many connected parts the segmentation of the {a} contains.",
        ),
        "slice_range": (
            "On which slices does the mask of the {a} appear, counting from 0?",
            "Which range of slices contains the {a}? Count from 0.",
            "Give the first and the last slice that contain the {a}, counting from 0.",
            "Counting slices from 0, from which to which slice does the mask of the {a} extend?",
            "Between which slice indices (starting at 0) is the mask of the {a} found?",
            "State the slice range of the {a}, with the first slice of the volume as 0.",
            "What are the first and last slice indices of the {a} if numbering starts at 0?",
            "With slices numbered from 0, where does the mask of the {a} begin and end?",
        ),
        "largest": (
            "Which of the segmented structures has the largest volume?",
            "What is the largest segmented structure by volume?",
            "Name the structure with the greatest segmented volume.",
            "Among the segmented structures, which one is the largest by volume?",
            "Which marked structure occupies the most space?",
            "Of all the masks, which one encloses the largest volume?",
            "Identify the segmented structure of greatest volume.",
            "By volume, which segmented structure comes first?",
        ),
        "is_left_of": (
            "Is the centre of the {a} further to the patient's left than that of the {b}?",
            "Is the centroid of the {a} located to the patient's left of that of the {b}?",
            "Comparing centroids, does that of the {a} lie to the patient's left of that of the {b}?",
            "In patient space, is the centroid of the {a} to the left of the centroid of the {b}?",
            "Going by their centres, is that of the {a} on the patient's left of that of the {b}?",
            "Relative to the centroid of the {b}, is that of the {a} on the patient's left?",
            "Does the centre of the {a} lie further towards the patient's left than the centre of the {b}?",
            "From the patient's point of view, is the centre of the {a} left of the centre of the {b}?",
        ),
        "mean_hu": (
            "What is the mean attenuation of the {a} in Hounsfield units?",
            "Give the mean HU inside the {a}.",
            "What is the average CT number of the {a}, in HU?",
            "How many HU does the mask of the {a} measure on average?",
            "Measure the average attenuation (HU) within the mask of the {a}.",
            "Determine the mean Hounsfield value of the {a}.",
            "State the mean CT attenuation of the {a} in HU.",
            "Averaged over the mask, what is the attenuation of the {a} in HU?",
        ),
        "extent_mm": (
            "What is the physical size of the image along its {a} axis, in millimetres?",
            "How many millimetres does the image cover along {a}?",
            "Give the field of view along the {a} axis of the array in mm.",
            "Along {a}, what is the extent of the scan in mm?",
            "Measured along the {a} axis, how large is the imaged region in mm?",
            "State the extent of the image along {a} in millimetres.",
            "What length in mm does the image span along its {a} axis?",
            "Determine the size (mm) of the image along the {a} axis.",
        ),
        "frame_count": (
            "How many frames does the video have?",
            "What is the number of frames in this clip?",
            "Count the frames of the video.",
            "Of how many frames does this clip consist?",
            "Give the number of frames in the video.",
            "How many frames make up this clip?",
            "State the frame count of the video.",
            "What is the total frame count of this clip?",
        ),
        "duration_s": (
            "How long is the video in seconds?",
            "What is the duration of this clip in seconds?",
            "Give the duration of the video in s.",
            "For how many seconds does this clip run?",
            "State the length of the video in seconds.",
            "How many seconds does the clip last?",
            "Determine the duration (s) of this video.",
            "What is the running time of the clip, in seconds?",
        ),
    }
)

ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "volume_ml": (
            "The volume of the {a} is {v} mL.",
            "The mask of the {a} has a volume of {v} mL.",
            "{v} mL for the {a}.",
        ),
        "longest_axis_mm": (
            "The longest axis of the {a} is {v} mm.",
            "The largest diameter of the {a} is {v} mm.",
            "{v} mm along the longest axis of the {a}.",
        ),
        "count": (
            "The mask of the {a} has {v} connected component{s}.",
            "{v} separate part{s}.",
            "The segmentation of the {a} consists of {v} connected part{s}.",
        ),
        "slice_range": (
            "The mask of the {a} extends from slice {first} to slice {last}, counting from 0.",
            "Slices {first} to {last}, counting from 0.",
            "The first slice with the {a} is {first} and the last is {last}, counting from 0.",
        ),
        "largest": (
            "The largest segmented structure is the {v}.",
            "By volume, the largest is the {v}.",
            "The {v}.",
        ),
        "is_left_of": (
            "{yes}. The centroid of the {a} {lies} further to the patient's left than that of the {b}.",
            "{yes}, the centre of the {a} {lies} to the patient's left of the centre of the {b}.",
            "{yes}: going by centroids, that of the {a} {lies} to the patient's left of that of the {b}.",
        ),
        "mean_hu": (
            "The mean attenuation of the {a} is {v} HU.",
            "On average the mask of the {a} measures {v} HU.",
            "{v} HU, averaged over the mask of the {a}.",
        ),
        "extent_mm": (
            "The image measures {v} mm along its {a} axis.",
            "Along {a}, the extent is {v} mm.",
            "{v} mm along the {a} axis.",
        ),
        "frame_count": (
            "The video has {v} frame{s}.",
            "The clip consists of {v} frame{s}.",
            "{v} frame{s}.",
        ),
        "duration_s": (
            "The video lasts {v} seconds.",
            "The duration of the clip is {v} s.",
            "{v} seconds.",
        ),
    }
)

HINTS: Mapping[str, str] = MappingProxyType(
    {
        "volume_ml": "Answer with a number in mL.",
        "longest_axis_mm": "Answer with a number in mm.",
        "count": "Answer with a number.",
        "slice_range": "Answer in the form first-last.",
        "largest": "Answer with the name of the structure only.",
        "is_left_of": "Answer yes or no.",
        "mean_hu": "Answer with a number in HU.",
        "extent_mm": "Answer with a number in mm.",
        "frame_count": "Answer with a number.",
        "duration_s": "Answer with a number in seconds.",
    }
)
