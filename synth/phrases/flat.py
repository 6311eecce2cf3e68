"""Wordings of lengths and counts in one picture: diameters in its plane, distances, and separate regions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import Wordings, wordings

_LONG = wordings(
    """
    What is the longest diameter of the {a} in this image, in mm?
    How many millimetres long is the longest axis of the {a} in the picture?
    Give the greatest in-plane diameter of the {a} in mm.
    Please measure the greatest length of the {a}, in millimetres.
    Determine the maximum diameter (mm) of the {a} as outlined.
    State the length of the long axis of the {a} in mm.
    Longest diameter of the {a}, mm?
    Structure of interest: {a}. Report its greatest diameter in the image plane in millimetres.
    Place callipers at the two most distant points of the {a}. What distance in mm do you read?
    Could you tell me the greatest length of the {a} outline, in mm?
    For the report, I need the long axis of the {a} in millimetres.
    Measured in whichever direction gives the highest value, how many mm long is the region of the {a}?
    In millimetres, what is the largest distance between two points of the {a}?
    Using the pixel spacing, compute the longest axis of the {a} in mm.
    What is the length in mm of the longest straight line that joins two points on the outline of the {a}?
    From edge to edge at its widest, what is the size of the {a} in mm?
    I would like to know the maximum extent of the {a} in any direction of the image, in mm.
    Let me know the major axis length of the {a} (mm).
    How far apart, in mm, are the two outermost points of the {a}?
    By longest diameter, how large is the region of the {a}, in millimetres?
    Find the greatest length across the {a} in mm.
    Work out the maximal calliper width of the {a} in millimetres.
    If a ruler were laid along the long axis of the {a}, how many mm would it show?
    Please fill in the blank: longest diameter of the {a} = ___ mm.
    Size the {a} by one number, its longest diameter in mm.
    Tell me, in mm, the greatest span of the region marked as {a}.
    Quantitative request: {a}, long axis, in millimetres.
    With the outline as reference, give the long-axis diameter of the {a} in mm.
    Estimate the longest diameter of the {a} and answer in mm.
    As outlined in this plane, what is the largest dimension of the {a} in mm?
    Which value in millimetres results for the longest dimension of the {a}?
    Calculate the distance in mm that separates the extreme points of the outline of the {a}.
    Measured at any angle in the picture, what is the top diameter of the {a} in mm?
    Provide a single linear measurement in mm: the long diameter of the {a}.
    On this image, what do you measure as the greatest dimension of the {a}, in millimetres?
    A colleague asks for the length of the {a} here. What do you answer, in mm?
    Express the largest linear size of the {a} in millimetres.
    Over what maximum distance in mm does the region of the {a} extend in this view?
    Report in mm the maximum feret diameter of the {a}.
    The long axis of the {a} is how many mm in length?
    """,
    """
    The longest diameter of the {a} is {v} mm.
    {v} mm along the long axis.
    At most, the length of the {a} is {v} mm.
    The long axis of the {a} is {v} mm.
    The two most distant points of the {a} lie {v} mm apart.
    I measure {v} mm.
    Greatest in-plane diameter: {v} mm.
    It is {v} mm long at most.
    The maximum diameter of the {a} comes to {v} mm.
    From edge to edge it is {v} mm at most.
    Long diameter of the {a}: {v} mm.
    In this image the greatest extent is {v} mm.
    """,
    "Answer with a number in mm.",
)

_BOTH = wordings(
    """
    What are the longest diameter of the {a} in this image and the longest one perpendicular to it, in mm?
    Measure the {a} in two dimensions: long axis and the short axis at a right angle to it, in mm.
    Give the bidimensional size of the {a} in mm, long axis first.
    Please state length and width of the {a} in millimetres, the width at a right angle to the length.
    How large is the region of the {a} in mm, as long axis by short axis?
    Determine both in-plane diameters of the {a} (mm): the longest, then the longest across it.
    Bidimensional measurement of the {a}, mm?
    Structure of interest: {a}. Report long and short axis in millimetres.
    Place one pair of callipers along the {a} and one across it. What do they read in mm?
    Could you tell me the two main diameters of the {a} in this picture, in mm?
    For the report, I need the {a} in two perpendicular diameters, in millimetres.
    In millimetres, what are the long axis of the {a} and the greatest extent at right angles to it?
    Using the pixel spacing, compute length and perpendicular width of the {a} in mm.
    Size of the {a}, long by short, in mm?
    I would like the {a} measured along and across its long axis, in mm.
    Let me know the longest diameter of the {a} together with the largest one perpendicular to that, both in mm.
    Which two values in millimetres describe the {a}, its length and its breadth?
    Report the long axis of the {a} and the short axis square to it, both in mm.
    Find the major and the perpendicular minor diameter of the {a} in this plane, in mm.
    Work out in mm the length of the {a} and the width across that length.
    What are the long axis of the {a} and its breadth square to that axis, in millimetres?
    Please fill in the blank: {a}, ___ x ___ mm (long x short).
    Tell me the in-plane dimensions of the {a} in mm, starting with the longest.
    Quantitative request: {a}, two diameters at a right angle, in millimetres.
    With the outline as reference, give the {a} in mm, length x width.
    Estimate the long-axis and the short-axis diameter of the {a} and answer in mm.
    As outlined here, which two perpendicular diameters belong to the {a}, in mm?
    Calculate the two in-plane axes of the {a} in millimetres, long one first.
    Provide a two-dimensional measurement of the {a} (mm).
    First the greatest diameter of the {a}, then the greatest across it: what are they in mm?
    On this image, how do you size the {a} in two dimensions, in millimetres?
    A colleague asks for length x width of the {a}. What do you answer, in mm?
    Express the size of the {a} as long diameter by perpendicular diameter, in millimetres.
    Two callipers, one along the {a} and one square to it: what distances in mm?
    From the longest line within the {a} and the longest one square to it, which lengths in mm result?
    Start with the longest diameter of the {a}, add the perpendicular one: which pair of values in mm?
    What size in mm, long x short axis, would you note for the {a}?
    Describe the dimensions of the {a} in this plane by two numbers in mm.
    Measure the {a} twice, lengthwise and crosswise, and give both results in mm.
    How many mm by how many mm do you measure along the longest diameter of the {a} and across?
    """,
    """
    The size of the {a} is {v} mm.
    {v} mm, long axis by short axis.
    Long and short axis of the {a} are {v} mm.
    In this plane, I find {v} mm for both diameters.
    I measure {v} mm for the {a}.
    The two perpendicular diameters are {v} mm.
    Bidimensional size: {v} mm.
    Along and across, it is {v} mm.
    The diameters of the {a} come to {v} mm.
    Length by width of the {a}: {v} mm.
    In two dimensions, that is {v} mm.
    {v} mm, the longest diameter first.
    """,
    "Answer with two numbers in mm, in the form long x short.",
)

_APART = wordings(
    """
    How far apart are the centres of the {a} and the {b} in this image, in mm?
    What is the distance between the centroids of the {a} and the {b} in millimetres?
    Give the centre-to-centre distance of {a} and {b} in mm.
    Please measure from the middle of the {a} to the middle of the {b}, in mm.
    Determine the distance (mm) between the centre of the {a} and that of the {b}.
    State in millimetres how far it is from the centroid of the {a} to the centroid of the {b}.
    Centre distance between {a} and {b}, mm?
    Two structures, {a} and {b}: report the distance of their centres in millimetres.
    Could you tell me how many mm separate the centre of the {a} from the centre of the {b}?
    For the report, I need the distance from the {a} centre to the {b} centre in mm.
    In mm, how long is the straight line between the centroids of the {a} and the {b}?
    Using the pixel spacing, compute the distance of the {a} and {b} centroids in mm.
    Draw a line from the centre of the {a} to the centre of the {b}. How many mm is it long?
    I would like to know, in mm, the distance from {a} to {b}, centre to centre.
    Let me know the in-plane distance in millimetres from centroid to centroid, {a} and {b}.
    Between the midpoints of the {a} and the {b}, what distance in mm do you measure?
    Find the spacing of the centres of {a} and {b} in mm.
    Work out how many millimetres the mean position of the {a} is away from that of the {b}.
    Please fill in the blank: distance of the centres, {a} to {b} = ___ mm.
    Tell me the gap in mm between two points: the centre of the {a} and the centre of the {b}.
    Quantitative request: {a} to {b}, distance of centroids, in millimetres.
    With the outlines as reference, give the {a} to {b} distance of centres in mm.
    Estimate the distance between the centres of {a} and {b} and answer in millimetres.
    As shown in this plane, how many mm lie between the centroid of the {a} and that of the {b}?
    Starting at the centre of the {a}, how many mm is it to the centre of the {b}?
    Calculate in mm the straight distance from the {a} centroid to the {b} centroid.
    Callipers are set from the middle of the {a} to the middle of the {b}. What do they show in mm?
    Provide the distance, in mm, by which the centres of {a} and {b} are separated.
    On this image, what do you measure between the centres of the {a} and of the {b}, in millimetres?
    A colleague asks how far the {b} centre is from the {a} centre. What do you answer, in mm?
    Express the separation of the {a} and the {b}, centroid to centroid, in millimetres.
    Measured in the image plane and between centres, at what distance in mm from the {b} do you find the {a}?
    Which value in mm results for the distance of the centres of the {a} and the {b}?
    The centroids of the {a} and the {b} are how many mm apart?
    Seen from the centre of the {b}, how many millimetres away is the centre of the {a}?
    From one centre of mass to the other, {a} to {b}, what is the distance in mm?
    Linear measurement: centre of the {a} to centre of the {b}, in mm.
    What separates the middle of the {a} from the middle of the {b}, in mm along a straight line?
    By how many mm are the centres of the {a} and the {b} displaced from each other in this picture?
    Take the centre of each outline. How many mm do you find from the {a} to the {b}?
    """,
    """
    The centres of the {a} and the {b} lie {v} mm apart.
    {v} mm from centre to centre.
    The distance between the centroids is {v} mm.
    From the middle of the {a} to the middle of the {b} it is {v} mm.
    I measure {v} mm between the two centres.
    Centre-to-centre distance: {v} mm.
    It is {v} mm.
    The straight line between both centroids is {v} mm long.
    The {a} centre is {v} mm away from the {b} centre.
    In this image, {v} mm separate the two centres.
    The distance of the centres comes to {v} mm.
    Between {a} and {b}, centre to centre, there are {v} mm.
    """,
    "Answer with a number in mm.",
)

_REGIONS = wordings(
    """
    How many separate regions of the {a} does this image show?
    Count the regions of the {a} that are apart from each other.
    In how many separate places of the picture do you see the {a}?
    Give the number of separate regions of the {a} in the image.
    What is the number of distinct areas of the {a} in this picture?
    State how many parts of the {a}, unconnected to each other, are outlined.
    Separate regions of the {a}, how many?
    Structure of interest: {a}. Report the number of unconnected regions in the image.
    Could you count how many times a region of its own is marked as {a}?
    For the report: how many separate areas of the {a} are in this picture?
    Looking at the outlines of the {a}, how many closed contours lie side by side?
    Determine the count of disjoint regions of the {a}.
    I would like to know how many isolated areas belong to the {a}.
    Please tell me whether you see one region of the {a} or several, by giving their number.
    Number of separate {a} regions in this view?
    Let me know the number of pieces of the {a} that appear here.
    On this image, how many regions without a connection to each other show the {a}?
    Work out how many individual areas were outlined under the name {a}.
    If each island marked as {a} is counted once, what is the total?
    Find the number of non-touching areas of the {a}.
    As shown, how many unconnected areas make up the {a}?
    Tell me how many distinct foci of the {a} the picture contains.
    What count do you arrive at for separate regions of the {a}?
    Within the picture, how often does a region of the {a} occur that touches no other?
    Provide a count of the separate outlines drawn for the {a}.
    Please fill in the blank: separate regions of the {a} in the image: ___.
    Enumerate the areas of the {a}, taking connected ones together. How many are there?
    How many regions would have to be outlined to mark the {a} completely?
    Quantitative request: {a}, number of separate regions.
    By how many regions do you find the {a} represented in the image?
    One or more regions of the {a} are visible. How many exactly?
    Across the whole picture, what number of separate areas was marked as {a}?
    A region ends where its outline closes. How many such regions of the {a} are there?
    In this picture, how many regions add up to the {a}?
    Taking areas that touch as one, how many do you count for the {a}?
    Report how many areas of the {a} stand alone.
    Say how many separate patches of the image belong to the {a}.
    Which number of disconnected areas results for the {a}?
    Search the picture for the {a}: how many regions are there?
    Are there several regions of the {a} or just a single one? Give the number.
    """,
    """
    The image shows {v} separate region{s} of the {a}.
    {v} region{s}.
    I count {v} region{s} of the {a}.
    Separate regions of the {a}: {v}.
    The number of regions is {v}.
    In this picture, {v} region{s} can be told apart.
    Of the {a}, {v} region{s} can be seen.
    {v} separate area{s}.
    The count for the {a} is {v}.
    Outlined as {a}: {v} region{s}.
    In total, that makes {v} region{s}.
    Seen in {v} separate place{s}.
    """,
    "Answer with a number.",
)

FLAT: Mapping[str, Wordings] = MappingProxyType(
    {"long_diameter_mm": _LONG, "diameters_mm": _BOTH, "centre_distance_mm": _APART, "regions": _REGIONS}
)
