"""Wordings of areas in one picture: how much of it a structure covers, its area, and how two structures compare."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import Wordings, wordings

_SHARE = wordings(
    """
    What percentage of the image area is occupied by the {a}?
    How many percent of the picture are covered by the {a}?
    Give the share of the image that belongs to the {a}, in percent.
    Of the whole picture, what part in percent is marked as {a}?
    Estimate the fraction of the image taken up by the {a} and state it in percent.
    Please express the {a} as a percentage of the total image area.
    Area fraction of the {a}, in percent of the image?
    Relative to the full frame, how large is the region of the {a} in percent?
    Could you tell me which percentage of all pixels lies within the {a}?
    For the report: area of the {a} in percent of the image.
    If the whole image counts as one hundred percent, how many percent fall to the {a}?
    Determine how much of the image area is filled by the {a}, as a percentage.
    By area, what percent of the picture shows the {a}?
    State the percentage of the frame inside the outline of the {a}.
    Structure of interest: {a}. Report its share of the image area in percent.
    The pixel size is of no concern here: what percentage of the image is taken up by the {a}?
    How great is the proportion of the picture, in percent, that was segmented as {a}?
    Divide the area of the {a} by that of the image: how many percent do you get?
    I would like to know the coverage of the image by the {a}, in percent.
    Looking at the extent of the {a}, what share of the entire picture would you give it, in percent?
    Let me know the area of the {a} as percent of the picture.
    Quantify the {a} by the percentage of the image inside the outline.
    Within the borders of the image, what percentage is {a}?
    In percent, how much of the image lies inside the {a}?
    Which percentage of the displayed area is accounted for by the {a}?
    Please fill in the blank: the {a} = ___ percent of the image area.
    As seen in this picture, what percent of its area do you attribute to the {a}?
    Work out the relative area of the {a} in percent (the whole image is the reference).
    Compare the {a} with the full image: what percentage of the image area is that?
    Out of every hundred pixels of the image, how many percent on average belong to the {a}?
    With the outline of the {a} as reference, what percent of the image is inside?
    Tell me the relative size of the {a}, as a percentage of the picture.
    Measured against the whole frame, how many percent are made up by the {a}?
    Calculate the area percentage of the {a} for this image.
    Which part of the area of the picture, in percent, is contributed by the {a}?
    Provide the image coverage of the {a} (percent).
    If the region marked as {a} were cut out, what percent of the picture would be removed?
    Find the share of {a} pixels among all pixels, written in percent.
    To what extent, in percent of the area, is the image filled by the {a}?
    Planimetry of the {a} relative to the image: how many percent?
    """,
    """
    The area of the {a} is {v}% of the image.
    {v}% of the image area.
    In this picture, {v}% of the area belongs to the {a}.
    Share of the {a}: {v}% of the image.
    Of the picture, {v}% is marked as {a}.
    The area of the {a} comes to {v}% of the frame.
    Relative to the whole image, {v}% is taken up by the {a}.
    I measure {v}% of the picture.
    That is {v}% of all pixels.
    Coverage by the {a}: {v}%.
    It fills {v}% of the image.
    Measured against the full frame, the area is {v}%.
    """,
    "Answer with a number in percent.",
)

_AREA = wordings(
    """
    What is the area of the {a} in this image, in square millimetres?
    How many mm² are covered by the {a}?
    Give the area of the {a} in mm².
    Please measure the area of the {a} as outlined, in mm².
    Determine the area inside the outline of the {a} in square millimetres.
    State the area of the {a} in this plane, in mm².
    Area of the {a}, mm²?
    Structure of interest: {a}. Report its area in square millimetres.
    Could you tell me the area (mm²) enclosed by the contour of the {a}?
    For the report, I need the planimetric area of the {a} in mm².
    Using the pixel spacing, compute the area of the {a} in mm².
    Planimetry of the {a}: what area in mm² results?
    In mm², how big is the region marked as {a}?
    Trace the border of the {a}. Which area in square millimetres does it enclose?
    By area, what is the size of the {a} region here, in mm²?
    Count the pixels of the {a} and multiply by the pixel area: how many mm² is that?
    I would like the {a} quantified by area, in mm².
    Let me know how many square millimetres were segmented as {a}.
    On this image, over how many mm² does the region of the {a} extend?
    What area, in mm², would you write down for the {a}?
    If the outline of the {a} were filled in, how many square millimetres would be coloured?
    Tell me the size of the {a} as an area in mm².
    Work out the surface in this plane within the {a} outline, in mm².
    Please fill in the blank: area of the {a} = ___ mm².
    With the mask as reference, what is the area of the {a} in square millimetres?
    Quantitative request: {a}, area, in mm².
    Express the extent of the {a} in this picture in mm².
    Find the segmented area of the {a}, in mm².
    Calculate from the spacing how many square millimetres are taken up by the {a}.
    Which value in mm² does planimetry yield for the {a}?
    As outlined in the image, how large in mm² is the area of the {a}?
    Taken in the plane of the image, what area in mm² belongs to the {a}?
    Provide an area measurement (mm²) of the {a}.
    The contour of the {a} encloses how many square millimetres?
    A colleague asks for the area of the {a}. What should the answer be, in mm²?
    Estimate the area of the {a} and answer in square millimetres.
    What area does the segmentation assign to the {a}, in mm²?
    From the image and its pixel size, derive the area of the {a} in mm².
    How much area, in square millimetres, is labelled {a}?
    On a print at true size, how many mm² would be filled by the {a}?
    """,
    """
    The area of the {a} is {v} mm².
    {v} mm².
    In this image, {v} mm² are covered by the {a}.
    Planimetry of the {a} gives {v} mm².
    Area of the {a}: {v} mm².
    The outline of the {a} encloses {v} mm².
    I measure {v} mm² for the {a}.
    With the given pixel spacing, that is {v} mm².
    The region marked as {a} takes up {v} mm².
    It comes to {v} mm².
    The segmented area is {v} mm².
    {v} mm² belong to the {a} in this plane.
    """,
    "Answer with a number in mm².",
)

_RATIO = wordings(
    """
    What is the ratio of the area of the {a} to that of the {b}?
    How many times the area of the {b} is the area of the {a}?
    Give the area ratio {a} to {b}.
    Divide the area of the {a} by the area of the {b}: what do you get?
    Determine the quotient of the two areas, {a} over {b}.
    Please compare the {a} with the {b} by area and state the ratio.
    Area of the {a} relative to the {b}?
    With the area of the {b} as the unit, how large is the area of the {a}?
    Could you tell me by which factor the area of the {b} must be multiplied to give that of the {a}?
    For the report, I need the {a}-to-{b} area ratio.
    Two structures, {a} and {b}: report the first area divided by the second.
    Compute how the area of the {a} relates to the area of the {b}, as a quotient.
    In terms of area, which multiple of the {b} equals the {a}?
    Estimate the area ratio of the {a} and the {b} in this image, first over second.
    I would like the size of the {a} as a decimal multiple of the {b}, by area.
    Let me know the ratio of pixels marked {a} to pixels marked {b}.
    State the relative area of the {a}, with the {b} for reference.
    Planimetry of both structures: what is {a} divided by {b}?
    If the area of the {b} is set to one unit, what is the area of the {a}?
    Work out the proportion between the area of the {a} (numerator) and the area of the {b} (denominator).
    As outlined, which ratio do the areas of the {a} and the {b} form, in this order?
    Express the area of the {a} in units of the area of the {b}.
    Find the factor between two areas: from the {b} to the {a}.
    Please fill in the blank: area of the {a} / area of the {b} = ___.
    By area, {a} to {b} is like how much to one?
    Tell me the ratio that results when the {a} area is put over the {b} area.
    Setting the two outlines against each other, how many {b} areas make one {a} area, as a decimal number?
    Quantify the size of the {a} against the {b}: what is the area ratio?
    From the masks, derive the area of the {a} per area of the {b}.
    Which decimal number describes the area of the {a} relative to that of the {b}?
    Measured in this picture, what is the quotient {a} area by {b} area?
    Calculate the area of the {a} as a multiple of the {b} area.
    On this image, how do the areas of the {a} and of the {b} compare, as a ratio of first to second?
    Taking the {b} for comparison, state the area ratio of the {a}.
    How often would the area of the {b} fit into that of the {a}, as a decimal number?
    Provide the ratio of the outlined areas, that of the {a} first, that of the {b} second.
    Reading both segmentations, what ratio of areas results for {a} against {b}?
    The area of the {a} corresponds to what multiple of the {b} area?
    Area comparison requested: {a} over {b}, as a decimal number.
    What number, multiplied by the area of the {b}, gives the area of the {a}?
    """,
    """
    The ratio of the areas is {v}.
    The area of the {a} is {v} times that of the {b}.
    {v} for the {a} over the {b}.
    Area ratio of the {a} to the {b}: {v}.
    Dividing the two areas gives {v}.
    By area, that is {v} times the {b}.
    It is {v}.
    The quotient of the areas is {v}.
    With the {b} as reference, the area of the {a} comes to {v}.
    I measure a ratio of {v}.
    The areas relate to each other as {v} to unity.
    In this image the ratio is {v}.
    """,
    "Answer with a decimal number.",
)

_EXTENT_RATIO = wordings(
    """
    What is the ratio of the {c} extent of the {a} to that of the {b}?
    How large is the {c} extent of the {a}, divided by the {c} extent of the {b}?
    Give the {c} ratio of the {a} to the {b}, from one outermost edge to the other.
    Compare the {a} and the {b} in the {c} direction and state the ratio of their extents.
    Determine the quotient of the {c} extents, {a} over {b}.
    Please measure both in the {c} direction: what is {a} divided by {b}?
    Ratio of {c} diameters, {a} to {b}?
    For the report: the {c} diameter of the {a} as a fraction of the {c} diameter of the {b}.
    With the {c} extent of the {b} as one unit, how long is that of the {a}?
    Could you tell me the {a}-to-{b} ratio, measured in the {c} direction?
    In the {c} direction, what fraction of the {b} is spanned by the {a}?
    I need the {c} span of the {a} relative to the {c} span of the {b}.
    Compute the {c} index: greatest extent of the {a} over greatest extent of the {b}.
    State how the {c} extent of the {a} relates to the one of the {b}, as a decimal.
    Looking only at the {c} direction, what is the ratio of the {a} to the {b}?
    Two {c} diameters, that of the {a} and that of the {b}: report the first over the second.
    Let me know the quotient of {c} sizes for {a} and {b}.
    Work out the {c} ratio between the {a} (numerator) and the {b} (denominator).
    Estimate in this image the ratio of {c} extents, {a} first, {b} second.
    Draw a box around each. How does the {c} side of the {a} box compare to that of the {b} box, as a ratio?
    Please fill in the blank: {c} extent of the {a} / {c} extent of the {b} = ___.
    Express the greatest {c} extent of the {a} in units of the same extent of the {b}.
    By which factor must the {c} extent of the {b} be multiplied to give that of the {a}?
    Tell me the relative {c} size of the {a} with the {b} as reference.
    From the outlines, derive the {c} diameter ratio of {a} and {b}.
    Find the {c} proportion of the {a} to the {b}.
    As segmented, what do you get for the {c} extent of the {a} over that of the {b}?
    Which decimal number relates the {c} span of the {a} to that of the {b}?
    Calculate the ratio of maximal {c} diameters for the pair {a} and {b}, in this order.
    Quantify the {a} against the {b} by their {c} extents.
    On this picture, what is the {c} ratio of {a} to {b}?
    The {c} extent of the {a} corresponds to what fraction of the {c} extent of the {b}?
    Callipers are set to the {c} extent of the {a}, then of the {b}. What is the ratio of the readings?
    Provide the {c} diameter of the {a}, relative to that of the {b}.
    Measured edge to edge, what {c} ratio do the {a} and the {b} form?
    How do the {a} and the {b} compare in their {c} extent, as first over second?
    Ratio wanted: {c} extent, {a} to {b}, as a decimal number.
    Taking the {b} for comparison, how great is the {c} extent of the {a}, as a decimal fraction?
    What value has the quotient of the {c} spans of the {a} and the {b}?
    When the {c} extent of the {a} is put over the {c} extent of the {b}, which ratio results?
    """,
    """
    The ratio is {v}.
    The {c} ratio of the {a} to the {b} is {v}.
    {v}, in the {c} direction.
    The {c} extent of the {a} is {v} times that of the {b}.
    Dividing the two {c} extents gives {v}.
    I measure a {c} ratio of {v}.
    It comes to {v}.
    With the {b} as reference, the {c} extent of the {a} is {v}.
    Ratio of {c} extents: {v}.
    The quotient is {v}.
    From edge to edge, the ratio amounts to {v}.
    In this image the {c} ratio is {v}.
    """,
    "Answer with a decimal number.",
)

_COVERS_MOST = wordings(
    """
    Which of the segmented structures covers the largest area of the image?
    By area, which of the structures is the largest in this picture?
    Name the structure with the greatest outlined area.
    What structure takes up the most space in this image, of those named?
    Compare the structures by area: which one comes first?
    To which structure does the largest part of the picture belong?
    Pick the structure that extends over the greatest area here.
    Of the structures named, which has the most pixels?
    Could you tell me which structure has the largest area in the image?
    Rank the outlined structures by area. What is at the top?
    I would like to know which of these covers more of the picture than the others.
    Find the structure whose outline encloses the greatest area.
    Looking at the image, which structure appears largest by area?
    Among the structures given, determine the one of greatest area in this picture.
    Area comparison: which structure leads?
    Judged by the area within its outline, what is the biggest structure shown?
    Please identify the structure that fills most of the image.
    One structure covers more area than any other. Which?
    For the report: the structure with the largest area in the picture is which?
    When the areas are put in order, which structure has the highest value?
    Let me know the structure with the maximum area on this image.
    In this view, which of the structures occupies the largest region?
    Select the structure of greatest extent by area.
    Measured in pixels, what structure is ahead?
    Tell me the largest structure of this image, going by area.
    Out of the structures listed, which one spreads over the most of the picture?
    Here only the picture counts: which structure has the greatest area in it?
    Decide which structure claims the biggest part of the image.
    If each structure were coloured in, which would need the most colour?
    State the structure that comes out largest by planimetry.
    Sorted by area, descending, what structure stands first?
    The areas of the structures differ. Whose is the greatest?
    Which outline in this picture surrounds the largest area?
    As segmented, what is the most extensive structure of the picture?
    Between the structures named, where is the largest area found?
    Consider how much of the picture each structure fills. Which one fills the most?
    With regard to area, which structure dominates this image?
    Give the name of the structure with the largest share of the image.
    Work out which of the structures would leave the largest hole if it were cut out of the picture.
    Of all that is segmented here, what has the largest area?
    """,
    """
    The largest area belongs to the {v}.
    {v_cap}.
    In this picture the {v} covers the largest area.
    By area, the largest is the {v}.
    It is the {v}.
    The structure with the greatest area is the {v}.
    The {v} takes up the most of the image.
    Largest by area: {v}.
    More area than any other is covered by the {v}.
    The outline of the {v} encloses the greatest area.
    That would be the {v}.
    Going by area, it is the {v}.
    """,
    "Answer with the name of the structure only.",
)

AREAS: Mapping[str, Wordings] = MappingProxyType(
    {
        "share_pct": _SHARE,
        "area_mm2": _AREA,
        "area_ratio": _RATIO,
        "extent_ratio": _EXTENT_RATIO,
        "covers_most": _COVERS_MOST,
    }
)
