"""Wordings of sizes: volumes, axes and extents. Every question names its unit."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import Wordings, wordings

_VOLUME = wordings(
    """
    What is the volume of the {a} in millilitres?
    How many millilitres does the mask of the {a} occupy?
    Give the volume of the {a} in mL.
    Please measure how large the {a} mask is, in mL.
    What volume does the mask of the {a} enclose, in mL?
    State the segmented volume of the {a} as a figure in millilitres.
    Based on the segmentation, how many mL of tissue belong to the {a}?
    Can you quantify the {a} by volume, in mL?
    Determine the volume (mL) of the {a}.
    Volume of the {a}, mL?
    Structure of interest: {a}. Report its volume in millilitres.
    I need the volume of the {a} for the report; what is it in mL?
    Could you tell me how many millilitres the {a} would fill?
    If the segmented {a} were poured into a measuring cup, how many mL would the cup show?
    Add up all voxels labelled as {a}: what volume in mL do they make?
    Using the voxel spacing and the mask, compute the volume of the {a} in mL.
    How much space does the mask of the {a} take up, in millilitres?
    Volumetry of the {a}: give the result in mL.
    Let me know the total volume, in mL, that was segmented as {a}.
    For volumetry, we want the {a} in millilitres. What do you measure?
    By how many millilitres of the scan is the {a} region represented?
    What figure, in mL, does volumetry yield for the {a}?
    Calculate from the segmentation how many mL in total belong under the heading {a}.
    In millilitres, what is the size of the {a} as segmented?
    In mL, how voluminous is the region marked as {a}?
    An outline of the {a} was drawn on all slices. Which volume, in mL, results?
    Estimate volumetrically the {a} and answer in millilitres.
    Work out the volume of tissue inside the outline of the {a}, in mL.
    What would you write down as the volume of the {a} (in mL)?
    Quantitative request: {a}, volume, in millilitres.
    Tell me the volume in mL of everything that is marked as {a}.
    A colleague asks for the {a} volume. What should the answer be, in mL?
    With the mask as reference, what volume in millilitres is to be reported for the {a}?
    How big is the segmented region of the {a}, expressed in mL?
    Please fill in the blank: volume of the {a} = ___ mL.
    Taken over the whole scan, how many millilitres are covered by the {a} mask?
    Provide a volume measurement (mL) for the structure labelled {a}.
    What is the capacity in mL of the region that the {a} mask delimits?
    Find out, in millilitres, the volume which the segmentation assigns to the {a}.
    I would like the {a} quantified: what volume in mL?
    Express the amount of tissue in the {a} as millilitres.
    Measured in three dimensions, what volume in mL does the segmentation of the {a} have?
    """,
    """
    The volume of the {a} is {v} mL.
    The mask of the {a} has a volume of {v} mL.
    {v} mL for the {a}.
    Volumetry of the {a} gives {v} mL.
    It is {v} mL.
    The segmentation of the {a} encloses {v} mL.
    Measured over its whole mask, the volume is {v} mL.
    I measure {v} mL for the {a}.
    The region marked as {a} takes up {v} mL.
    In total {v} mL belong to the {a}.
    Volume: {v} mL.
    According to the segmentation, {v} mL.
    """,
    "Answer with a number in mL.",
)

_LONGEST = wordings(
    """
    What is the longest axis of the {a} in millimetres?
    What is the largest three-dimensional diameter of the {a}, in mm?
    Give the longest diameter of the {a} in mm.
    How many millimetres is the longest axis of the {a}?
    Measure the greatest extent of the {a} in any direction, in mm.
    What is the largest distance between two points of the {a}, in millimetres?
    Determine the maximum diameter (mm) of the {a}, free in space.
    State the length of the longest axis of the {a} in mm.
    Maximum diameter of the {a}, mm?
    Structure of interest: {a}. Report its greatest diameter in millimetres.
    How far apart, in mm, are the two most distant points inside the mask of the {a}?
    Could you tell me how long the {a} mask is at its longest, in mm?
    If a straight rod had to reach from one end of the segmented {a} to the other, how many mm long would it be?
    For the report, I need the longest measurable diameter of the {a} in millimetres.
    Along whichever direction it is longest, how many mm does the mask of the {a} measure?
    Find the pair of voxels of the {a} that lie furthest from each other and give their distance in mm.
    In millimetres, what is the maximum extent of the region marked as {a}?
    What length in mm has the greatest straight line that joins two voxels of the {a}?
    Please size the {a} by its single largest dimension, in mm.
    Compute the maximum caliper of the {a} in three dimensions (mm).
    A mask of the {a} exists; how long is that region from end to end, in millimetres?
    Longest dimension of the {a} in mm, please.
    Which value in mm do you obtain for the largest diameter of the {a} over the entire volume?
    Let me know the maximal length, in mm, of the structure labelled {a}.
    At most, how many millimetres separate two points within the {a}?
    I would like to know how far the mask of the {a} extends at its longest, in mm.
    Quantify the overall length of the {a} as the longest three-dimensional axis, in millimetres.
    Between its two remotest points, what distance in mm does the segmentation of the {a} bridge?
    Taking every orientation into account, what is the peak diameter of the {a} (in mm)?
    Report, in millimetres, the maximum feret diameter of the mask of the {a}.
    Please fill in the blank: longest axis of the {a} = ___ mm.
    What is the end-to-end length of the {a} in mm, measured along a straight line?
    Work out how many mm the longest straight path across the {a} measures.
    A ruler is laid along the longest dimension of the {a}. What does it read, in mm?
    Not bound to any slice plane, how large is the diameter of the {a} at its maximum, in millimetres?
    Calculate the distance in mm that separates the extreme points of the {a}.
    Using the voxel spacing, what is the largest linear size of the {a} in mm?
    Linear measurement request: {a}, longest axis, in millimetres.
    With the mask as reference, up to how many mm does the {a} region stretch?
    Provide the major length of the {a}, as the biggest distance within its mask, in mm.
    Tell me the size of the {a} in mm, taken where the mask is longest.
    """,
    """
    The longest axis of the {a} is {v} mm.
    The largest diameter of the {a} is {v} mm.
    {v} mm along the longest axis of the {a}.
    At its longest, the mask of the {a} measures {v} mm.
    The two most distant points of the {a} lie {v} mm apart.
    It is {v} mm long at most.
    The maximum diameter comes to {v} mm.
    I measure {v} mm as the greatest extent of the {a}.
    Longest axis: {v} mm.
    From end to end, the region marked as {a} spans {v} mm.
    In space, the greatest length of the {a} is {v} mm.
    {v} mm, taken between the remotest points of the mask.
    """,
    "Answer with a number in mm.",
)

_RECIST = wordings(
    """
    What are the longest diameter of the {a} on one axial slice and the longest perpendicular to it, in mm?
    Give the long axis and the perpendicular short axis of the {a} in the axial plane, in millimetres.
    Measure the {a} in two axial dimensions: longest diameter and longest perpendicular, in mm.
    What are the axial long and short axes of the {a} in mm, the short one perpendicular to the long one?
    State the bidimensional axial size of the {a} (long axis, then perpendicular) in mm.
    On the axial slice with the longest diameter of the {a}, what are that diameter and its perpendicular, in mm?
    Determine, in millimetres, how long and how wide the {a} mask is in the axial plane, the width at a right angle.
    How long, and across that how wide, is the mask of the {a} on its longest axial slice, in mm?
    Axial bidimensional measurement of the {a}, long axis x perpendicular, mm?
    Structure of interest: {a}. Report its axial long axis and the perpendicular one in millimetres.
    For a RECIST-style read, which two axial diameters in mm (long, then perpendicular) belong to the {a}?
    Please pick the axial slice showing the {a} at its longest and give both perpendicular diameters in mm.
    Could you tell me the greatest axial length of the {a} and the greatest width at right angles to it, in mm?
    Two numbers are needed for the {a}: axial length and perpendicular width, in millimetres. Which are they?
    In mm, long axis times perpendicular short axis of the {a}, axially measured: what do you get?
    Express the size of the {a} as long x short in the axial plane, with perpendicular axes, in mm.
    Which long axis, and which axis perpendicular to it, would calipers show for the {a} on axial slices, in mm?
    Report two perpendicular axial calipers of the {a} in millimetres, the longer one first.
    Looking at axial slices only, how many mm by how many mm is the {a} mask, perpendicular axes assumed?
    Follow-up measurement: {a}, maximal axial diameter and perpendicular diameter, in mm.
    I would like to have the {a} sized axially in mm, first the longest line, then the one perpendicular to it.
    What would the caliper pair be, in millimetres, for the {a}: axial maximum and its perpendicular?
    Take the longest diameter of the {a} on an axial slice and the longest chord perpendicular to it. State both in mm.
    Please fill in the blank: {a}, axial plane, long x perpendicular = ___ x ___ mm.
    Quantify the axial cross-section of the {a} by its length and its perpendicular width, both in mm.
    How would you record the {a} on a tumour board sheet, as axial long axis x perpendicular, in millimetres?
    Find the axial slice in which the {a} stretches furthest; there, what are length and perpendicular width in mm?
    Let me know the pair of orthogonal axial diameters (mm) of the {a}, where the first is the longest possible.
    Provide the axial measurements of the {a} in mm: maximum length, and maximum width perpendicular to the length.
    Using calipers on the axial plane, size the {a} along and perpendicular to its longest diameter, in mm.
    In the axial plane, by which two perpendicular diameters (in millimetres) would you describe the {a}?
    Work out the longest in-plane diameter on axial slices for the {a}, plus its longest perpendicular, in mm.
    What is the size of the {a} in two axial dimensions, in mm, given as long by perpendicular?
    Write the axial dimensions of the {a} as a product of long and perpendicular axis in millimetres.
    A radiologist measures the {a} axially with crossed calipers. Which lengths in mm, long and perpendicular, result?
    With perpendicular lines drawn on the best axial slice of the {a}, which two lengths in mm come out?
    Compute the axial length and, perpendicular to it, the axial width of the mask of the {a}, in mm.
    Crossed diameters of the {a} on axial imaging, perpendicular to each other, in millimetres, please.
    From axial slices, derive both diameters (mm) of the {a}: the maximum and the one perpendicular to the maximum.
    Tell me the axial measurements of the {a}, lengthwise and perpendicular to that, in mm.
    """,
    """
    The axial diameters of the {a} are {v} mm, long axis by perpendicular.
    {v} mm for the axial long and short axis of the {a}.
    On its longest axial slice the size of the {a} is {v} mm.
    In the axial plane I measure {v} mm.
    Long by perpendicular, the {a} comes to {v} mm.
    Axial size: {v} mm.
    The two perpendicular diameters of the {a} are {v} mm.
    Crossed calipers on the axial slice read {v} mm.
    The mask of the {a} measures {v} mm, length first.
    {v} mm, the first being the longest diameter.
    Axially, the region marked as {a} is {v} mm in size.
    The bidimensional measurement gives {v} mm.
    """,
    "Answer with two numbers in mm, in the form long x short.",
)

_SHORT = wordings(
    """
    What is the short axis of the {a} in mm, perpendicular to its longest axial diameter?
    Give the axial short axis of the {a} in millimetres, measured perpendicular to the long axis.
    Perpendicular to the longest axial diameter of the {a}, how many mm is the longest chord?
    Measure the axial width (mm) of the {a} at a right angle to its longest diameter.
    State the length in mm of the axial short axis of the {a}, perpendicular to the long one.
    Determine the short-axis diameter of the {a} in the axial plane, in mm.
    How many millimetres is the axial short axis of the {a}, taken at a right angle to the long axis?
    Across its longest axial diameter, how wide is the mask of the {a} in mm?
    Short axis of the {a}, axial, mm?
    Structure of interest: {a}. Report its axial short-axis diameter in millimetres.
    As for a lymph node, please give the short axis of the {a} on axial slices, in mm.
    Could you tell me how wide the {a} mask is, at right angles to its greatest axial length, in mm?
    Draw the longest axial line through the {a}; what is the longest line crossing it squarely, in mm?
    For the report, I need the axial width of the {a} in millimetres, orthogonal to the length.
    On the slice with the longest axial diameter, which short-axis value in mm belongs to the {a}?
    In millimetres, what is the smaller of the two crossed axial diameters of the {a}?
    The long axis of the {a} in the axial plane is known. What is its perpendicular counterpart in mm?
    Compute the greatest axial breadth of the {a} in mm, orthogonally to its main axis.
    Please size the {a} axially by its short axis, in mm.
    What breadth in mm do crossed calipers show for the {a} on axial imaging?
    Axial plane, {a}: how many millimetres perpendicular to the maximum diameter?
    I would like to know the short-axis extent of the {a} as seen axially, in mm.
    Find the axial slice where the mask of the {a} is longest, and give the width there in mm.
    By RECIST conventions, how many mm does the short axis of the {a} measure?
    Quantify the perpendicular axial diameter of the {a} in millimetres.
    Report only the second caliper of the {a}: the axial diameter that crosses the longest one, in mm.
    At ninety degrees to the axial long axis, what is the extent of the {a} in mm?
    Let me know the width, in mm and in the axial plane, of the region marked as {a}.
    Which is the maximal chord perpendicular to the axial length of the {a}, in millimetres?
    Work out the short axial caliper for the {a} in mm.
    With the long axis lying horizontally, how many mm high is the axial cross-section of the {a}?
    Please fill in the blank: axial short axis of the {a} = ___ mm.
    Provide the minor axial diameter (mm) belonging to the longest one of the {a}.
    How broad is the axial section of the {a} at most, perpendicular to its length, in mm?
    Crosswise to its greatest axial diameter, the region marked as {a} measures how many millimetres?
    Tell me the orthogonal width of the {a} on its longest axial slice, in mm.
    What would be noted as short-axis size, in mm, for the {a} in the axial plane?
    Calculate from the mask the axial short diameter of the {a} in millimetres.
    Width request: {a}, axial, perpendicular to the long axis, in mm.
    Taken in the axial plane and square to the long diameter, what is the width in mm of the {a}?
    """,
    """
    The axial short axis of the {a} is {v} mm.
    {v} mm, perpendicular to the longest axial diameter of the {a}.
    Perpendicular to its long axis, the axial width of the {a} is {v} mm.
    The short axis measures {v} mm.
    Short axis: {v} mm.
    At a right angle to the longest diameter I find {v} mm.
    Across its length, the mask of the {a} is {v} mm wide.
    It is {v} mm in the axial plane.
    The short-axis diameter of the {a} comes to {v} mm.
    The second caliper reads {v} mm.
    {v} mm is the axial width of the {a}.
    The chord that crosses the longest diameter has a length of {v} mm.
    """,
    "Answer with a number in mm.",
)

_SIZE = wordings(
    """
    How large is the mask of the {a} from left to right, from front to back and from head to feet, in mm?
    Give the extent of the {a} along the patient's left-right, front-back and head-feet axes in millimetres.
    What are the sides of the box of the {a} in mm, in patient axes (left-right, front-back, head-feet)?
    State the left-right, front-back and head-feet size of the {a} in mm.
    Measure the {a} along the three axes of the patient (left-right, front-back, head-feet), in mm.
    Determine width, depth and height (mm) of the {a} in patient space.
    How many millimetres does the segmentation of the {a} span left to right, front to back and head to feet?
    In patient axes, what are the dimensions of the {a} in mm: left-right, front-back, head-feet?
    Size of the {a} in mm, left-right x front-back x head-feet?
    Structure of interest: {a}. Report its three patient-axis dimensions in millimetres, head-feet last.
    Could you give me the {a} in three dimensions, as transverse by front-back by craniocaudal extent in mm?
    If a box is fitted around the {a} along the patient's axes, how wide, deep and tall is it in mm?
    Which three numbers in mm describe the {a} across, from front to back, and from head to feet?
    For the report: {a}, transverse, front-back and head-feet diameters in millimetres, please.
    Work out how wide (left-right), how deep (front-back) and how high (head-feet) the {a} region is in mm.
    I need the dimensions of the mask of the {a} in mm, ordered sideways, front to back, up and down.
    Please fill in the blank: {a} = ___ x ___ x ___ mm (left-right, front-back, head-feet).
    Express the bounding dimensions of the {a} in millimetres, in the order left-right, front-back, head-feet.
    By how many mm does the {a} mask extend along each body axis: sideways, front-back and head-feet?
    Compute the axis-aligned extents (mm) of the {a} in the patient's own left-right, front-back, head-feet frame.
    Tell me the width, the depth and the height of the {a} as segmented, in patient axes and mm.
    What is the transverse x front-back x head-feet size of the region marked as {a}, in millimetres?
    Along the patient's main directions, sideways first and head-feet last, how many mm does the {a} mask cover?
    Three-axis measurement of the {a} (left-right, front-back, head-feet), result in mm.
    How many mm across, how many from front to back and how many lengthwise is the structure labelled {a}?
    Quantify the {a} by its extents in the three body directions, in millimetres, with head-feet as the third.
    Provide three diameters of the {a} in patient space, left-right, front-back and head-feet, each in mm.
    A carton with walls parallel to the body axes shall hold the {a}. Which width, depth and height in mm must it have?
    Taking the outer edges of its mask, how big is the {a} region sideways, front to back and head to feet (mm)?
    Let me know the patient-aligned dimensions of the {a}: width, depth, height, in mm.
    With left-right first, front-back second and head-feet third, what are the extents of the {a} in millimetres?
    In mm: lateral width, front-back depth and head-feet height of the {a}.
    Calculate for the {a} how far the mask reaches in each anatomical direction (left-right, front-back, head-feet, mm).
    Find the size of the {a} in the patient's coordinate system, as three lengths in mm from sideways to head-feet.
    What would be the dictated three-dimensional size of the {a} in mm, in the order width, depth, height?
    I would like the {a} measured sideways, from front to back and lengthwise; give millimetres.
    Sideways, front to back, head to feet: which lengths in mm has the mask of the {a}?
    Using the patient's axes as reference, report the {a} as width x depth x height (mm).
    Give me three figures in mm for the {a}: one across the body, one front to back, one along the body.
    How do the dimensions of the {a} read in millimetres, if listed as left-right, front-back and head-feet?
    """,
    """
    The mask of the {a} spans {v} mm (left-right, front-back, head-feet).
    {v} mm for the {a}: left-right, front-back and head-feet.
    In the axes of the patient the size of the {a} is {v} mm.
    The dimensions are {v} mm, head-feet last.
    Width, depth and height of the {a} are {v} mm.
    Size: {v} mm (left-right x front-back x head-feet).
    Along the patient's axes I measure {v} mm.
    A box around the {a} has sides of {v} mm.
    The region marked as {a} extends over {v} mm, sideways first.
    {v} mm, in the order left-right, front-back, head-feet.
    From side to side, front to back and head to feet, the extents are {v} mm.
    The three extents of the {a} come to {v} mm.
    """,
    "Answer with three numbers in mm, in the form left-right x front-back x head-feet.",
)

_EXTENT = wordings(
    """
    What is the physical size of the image along its {a} axis, in millimetres?
    How many millimetres does the image cover along {a}?
    Give the field of view along the {a} axis in mm.
    Along {a}, what extent in mm is shown?
    Measured along the {a} axis, how large is the imaged region in mm?
    State how far the picture reaches along {a}, in millimetres.
    What length in mm does the image span along its {a} axis?
    Determine the size (mm) of the whole image in the {a} direction.
    Field of view in {a}, mm?
    Direction: {a}. Report the total extent of the image in millimetres.
    Work out from the spacing how long the {a} axis is, in mm.
    Could you tell me how many mm fit into the image in direction {a}?
    From one edge of the image to the other along {a}, what distance in mm is covered?
    I need the coverage along the {a} axis, in mm.
    How long is the side of the image that runs along {a}, in mm?
    In millimetres, how much does the whole image cover in the {a} direction?
    Given the spacing, what is the overall length of the {a} axis in mm?
    Please work out the edge length of the image along {a} in mm.
    Compute the physical extent in mm along axis {a}.
    What real length, in mm, corresponds to the full {a} axis?
    Image coverage: {a} axis, in millimetres?
    If you walked along the {a} axis from one border of the image to the other, how many mm would that be?
    How far apart are the two borders of the image that face each other along {a}, in mm?
    Let me know the extent in the {a} direction, in millimetres and for the whole image.
    Please fill in the blank: extent along {a} = ___ mm.
    Quantify the field of view for axis {a} only, in mm.
    I would like to know how large the shown region is along {a}; answer in mm.
    Going by the stated spacing, what does the {a} axis measure in mm?
    Express the dimension of the image along {a} as a length in millimetres.
    Which distance in mm does the image stretch over in the {a} direction?
    Convert the {a} axis of the image to millimetres. How long is it?
    The image has an axis {a}. To how many mm does it correspond?
    Tell me the size of the field of view, {a} direction, in mm.
    Calculate how many mm the image spans in direction {a}.
    What is the length along the {a} axis, from border to border, in mm?
    Between the outermost edges on the {a} axis, how many mm lie?
    Provide the {a}-extent of the image in physical units (mm).
    With spacing taken into account, how wide is the image along {a}, in millimetres?
    On the {a} axis, what total length (in mm) is imaged?
    Find the millimetres covered by the full range of {a} indices.
    """,
    """
    The image measures {v} mm along its {a} axis.
    Along {a}, the extent is {v} mm.
    {v} mm along the {a} axis.
    The field of view in the {a} direction is {v} mm.
    It covers {v} mm.
    In the {a} direction the image reaches over {v} mm.
    Extent along {a}: {v} mm.
    From border to border that is {v} mm.
    The {a} axis corresponds to {v} mm.
    By the spacing it comes to {v} mm.
    The imaged region is {v} mm long along {a}.
    In that direction the image stretches over {v} mm.
    """,
    "Answer with a number in mm.",
)

SIZES: Mapping[str, Wordings] = MappingProxyType(
    {
        "volume_ml": _VOLUME,
        "longest_axis_mm": _LONGEST,
        "recist_mm": _RECIST,
        "perpendicular_axis_mm": _SHORT,
        "size_mm": _SIZE,
        "extent_mm": _EXTENT,
    }
)
