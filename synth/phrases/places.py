"""Wordings of places in what is shown, and of sides and directions in the patient.

Slices and boxes count from 0. No question of a side or direction holds a word of its answer: left and right stand
only where yes or no is asked, and the axes are called sideways, front-back and head-feet.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import Wordings, wordings

_SLICES = wordings(
    """
    On which slices does the mask of the {a} appear, counting from 0?
    Which range of slices contains the {a}? Count from 0.
    Give the first and the last slice that contain the {a}, counting from 0.
    Counting slices from 0, from which to which slice does the mask of the {a} extend?
    Between which slice indices (starting at 0) is the mask of the {a} found?
    State the slice range of the {a}, with the first slice shown as 0.
    What are the first and last slice indices of the {a} if numbering starts at 0?
    With slices numbered from 0, where does the mask of the {a} begin and end?
    Slice range of the {a} (numbered from 0)?
    Structure of interest: {a}. Report its first and last slice, the first slice of all being 0.
    While scrolling through the stack, at which index from 0 do you first meet the {a}, and at which do you last?
    Could you tell me where along the stack the {a} starts and stops, as slice numbers from 0?
    For navigation, I need the slices showing the {a}, with 0 as the first slice of the stack.
    If slice 0 is the first one shown, from which index up to which index is the {a} mask visible?
    Let me know the interval of slices that the {a} mask cuts, numbering from 0.
    Please fill in the blank (slices from 0): the mask of the {a} runs from ___ to ___.
    The stack begins at index 0. Which indices bound the {a}?
    Determine the lowest and the highest slice index from 0 on which the {a} mask can be seen.
    Number the slices 0, and so on upwards. Which of them form the range of the {a}?
    Tell me the index of the slice where the {a} mask comes in and of that where it goes out (from 0).
    Using indices from 0, over what stretch of slices was the {a} segmented?
    I would like to jump to the {a}: which slices, counted from 0, should I open first and last?
    Find the two end slices of the {a}, with indices from 0.
    What does the z-range of the {a} look like in slice indices that start from 0?
    Provide the through-plane extent of the {a} as a range of indices from 0.
    In terms of slice indices from 0, what interval belongs to the {a}?
    Localise the {a} along the slice axis, zero-based (from 0), by first and last index.
    Where in the series, counted in slices from 0, is the mask of the {a} located?
    Work out from which slice to which slice a reader would see the {a}; the count starts at 0.
    At what slice, counting from 0, does the mask of the {a} come into view, and which is its last?
    From 0 upwards, which consecutive slices enclose the whole mask of the {a}?
    Only some slices show the {a}. Give their range, numbered from 0.
    Please crop the stack around the {a}: first and last slice index to keep, counting from 0?
    By slice index (from 0), how far does the mask of the {a} reach at either end?
    Zero-based slice interval wanted, that is from 0: {a}.
    Looking through all slices, numbered from 0, name the ends of the range with the {a} on it.
    Express the position of the {a} in the stack as start and end index from 0.
    Which slice is the first and which the last to show any voxel of the {a}, if slice one is index 0?
    With index 0 for the opening slice, on what span of slices lies the region marked as {a}?
    Indices start from 0. What are those of the outermost slices through the {a}?
    """,
    """
    The mask of the {a} extends from slice {first} to slice {last}, counting from 0.
    Slices {first} to {last}, counting from 0.
    The first slice with the {a} is {first} and the last is {last}, counting from 0.
    Counting from 0, it runs from slice {first} to slice {last}.
    From index {first} to index {last}.
    Range: {first}-{last}, counting from 0.
    The {a} can be seen from slice {first} up to slice {last}, counting from 0.
    It begins on slice {first} and ends on slice {last}, counting from 0.
    Counting from 0, the outermost slices through the {a} are {first} and {last}.
    Slices {first}-{last} hold the region marked as {a}.
    Along the stack, the {a} mask spans the slices {first} to {last}, counting from 0.
    I find it between slice {first} and slice {last}, both included, counting from 0.
    """,
    "Answer in the form first-last.",
)

_BOX = wordings(
    """
    What is the bounding box of the {a}, counted in indices from 0, first corner included, second excluded?
    Give the bounding box of the {a} in absolute indices that start at 0; the second corner is exclusive.
    Locate the {a}: state its box in array indices counted from 0, with an exclusive second corner.
    Draw a box around the {a}, in absolute indices from 0 with the second corner excluded.
    Where did the segmentation find the {a}? Answer with a half-open bounding box in indices from 0.
    Determine the half-open bounding box of the {a} in absolute indices, numbering from 0.
    State the tightest box around the {a} in indices from 0; its second corner lies just outside.
    Mark the extent of the {a} as a half-open box of absolute indices, the first index being 0.
    Box of the {a}, half-open, absolute indices from 0?
    Structure of interest: {a}. Report its bounding box as half-open index ranges from 0.
    Which index box from 0, upper bounds exclusive, encloses everything shown of the {a}?
    Could you give me the corners of the {a}, absolute and from 0, the far corner exclusive?
    I need to crop the {a} out of the array: which lower and exclusive upper indices from 0 do I use?
    Detection request: {a}. Return one half-open box in array indices that begin at 0.
    With indices from 0, between which lower (inclusive) and upper (exclusive) bounds does the {a} mask lie?
    Please fill in the half-open box of the {a} in absolute indices from 0.
    Put a frame around the {a} and write down its near corner and its exclusive far corner, indices from 0.
    What are the minimum indices of the {a}, and its maximum indices plus one, counted from 0?
    Ground the {a} in the image by a box: absolute indices from 0, end not included.
    Localise the region marked as {a} by index bounds, zero-based (from 0) and half-open.
    Let me know which rectangle of indices from 0 the {a} fills, its end being exclusive.
    Using absolute coordinates of the array, from 0 and half-open, where do you box the {a}?
    Find the smallest half-open box in indices from 0 that holds the whole mask of the {a}.
    In slicing notation (from 0, stop excluded), which index ranges contain the {a}?
    Tell me the position of the {a} as a box whose far corner is excluded, with index 0 as origin.
    Compute the bounds of the {a} mask: starts included, stops excluded, everything in indices from 0.
    The array origin is index 0. Which half-open box captures the {a}?
    Return the place of the {a} as start and stop indices per axis, stops excluded, from 0.
    I would like the {a} outlined by a box; indices absolute, from 0, last corner exclusive.
    Work out the crop window for the {a} in indices from 0, its end exclusive.
    Point out the {a} with a bounding box (half-open, unscaled indices starting from 0).
    Provide box coordinates for the {a}: absolute, zero-based from 0, exclusive at the end.
    By which half-open index box from 0 is the location of the {a} given?
    Show me where to look for the {a}, as index box from 0 with exclusive end.
    Express the extent of the {a} by two corners in indices from 0, only the first corner inside.
    For an overlay, which box corners (absolute indices from 0, second one exclusive) suit the {a}?
    Annotate the {a}: one box, absolute indices, origin 0, far corner one beyond the mask.
    What half-open region of the index grid, whose first index is 0, does the mask of the {a} take up?
    Fit a box to the segmentation of the {a} without margin; use indices from 0 and an exclusive end.
    Reading the array from index 0, at which indices does the {a} box open, and before which does it close?
    """,
    """
    The bounding box of the {a} is [{v}].
    The mask of the {a} lies in the box [{v}].
    The mask of the {a} lies inside [{v}].
    [{v}]
    Box: [{v}].
    It is enclosed by [{v}].
    Around the {a} I draw [{v}].
    The tightest half-open box is [{v}].
    The {a} can be cropped with [{v}].
    The region marked as {a} fills [{v}].
    Its corners are [{v}], the second one excluded.
    In absolute indices the box of the {a} reads [{v}].
    """,
    "Answer in the form {form}.",
)

_LEFT_OF = wordings(
    """
    Is the centre of the {a} further to the patient's left than that of the {b}?
    Is the centroid of the {a} located to the patient's left of that of the {b}?
    Comparing centroids, does that of the {a} lie to the patient's left of that of the {b}?
    In patient space, is the centroid of the {a} to the left of the centroid of the {b}?
    Going by their centres, is that of the {a} on the patient's left of that of the {b}?
    Relative to the centroid of the {b}, is that of the {a} on the patient's left?
    Does the centre of the {a} lie further towards the patient's left than the centre of the {b}?
    From the patient's point of view, is the centre of the {a} left of the centre of the {b}?
    Centroid of the {a} left (patient) of centroid of the {b}, yes or no?
    Take the centres of the {a} and the {b}. Is the first nearer to the patient's left side?
    Could you check whether, from the patient's side, the {a} centre is left of the {b} centre?
    Would the patient call the centre of the {a} the more leftward one, compared with that of the {b}?
    Starting from the centroid of the {b}, do you move towards the patient's left to reach that of the {a}?
    True or not: the centroid of the {a} lies to the left of the {b} centroid as the patient sees it. Yes or no?
    Along the axis from the patient's right to the left, does the {a} centroid come after the {b} centroid?
    Verify with yes or no: of the {a} and the {b}, the first has the centroid further left in the patient.
    Please decide: is the patient's left shoulder side closer to the {a} centre than to the {b} centre?
    I would like to know if the centroid of the {a} is displaced to the patient's left of the {b} centroid.
    As the patient sees it, does the middle of the {a} sit left of the middle of the {b}?
    With sides named from the patient, is the {b} centroid to the right of that of the {a}?
    Do you agree that on the patient's left-right axis the {a} centre comes left of the {b} centre?
    Left of the {b}, in the patient's own sense and by centroids: would you put the {a} there?
    Between the {a} and the {b}, is it the {a} whose centre is closer to the patient's left?
    Does going from the {b} to the {a}, centre to centre, lead leftwards in the patient?
    For the report: is the {a} centroid on the left of the {b} centroid in patient orientation?
    Judge by the centroids of the two masks, {a} and {b}: is the former more to the patient's left?
    Seen from within the patient, do we find the {a} centre leftward of the {b} centre?
    Is it correct that, patient-wise, the mean position of the {a} is left of the mean position of the {b}?
    Tell me, yes or no, if the patient's left is the direction from the {b} centroid to the {a} centroid.
    Let the {b} centroid be the origin. Does the {a} centroid then have a position on the patient's left?
    Is the patient's left the side on which the {a} centre of mass lies from the {b} centre of mass?
    In terms of the patient's own left, does the {a} centre come ahead of the {b} centre?
    If both centroids are projected on the left-right axis, is that of the {a} left of that of the {b} (patient)?
    Orientation check, patient's left: {a} centre beyond {b} centre, yes or no?
    Regardless of how the image is displayed, is the {a} centre left, for the patient, of the {b} centre?
    Do the centroids place the {a} on the left-hand side of the {b}, from the patient's view?
    Moving towards the patient's left hand, would one pass the centre of the {b} before that of the {a}?
    Concerning laterality in the patient: does the {a} mask lie left of the {b} mask, centroid against centroid?
    Please answer yes or no: centre of the {a}, further left in the patient than centre of the {b}?
    By centroid, can the {a} be described as lying to the left of the {b} for this patient?
    """,
    """
    {yes}. The centroid of the {a} {lies} further to the patient's left than that of the {b}.
    {yes}, the centre of the {a} {lies} to the patient's left of the centre of the {b}.
    {yes}: going by centroids, that of the {a} {lies} to the patient's left of that of the {b}.
    {yes}. From the patient's view, the {a} centre {is} left of the {b} centre.
    {yes}. Compared with the {b}, the centroid of the {a} {is} more to the patient's left.
    {yes}, in patient space the {a} centroid {lies} to the left of the {b} centroid.
    {yes}. The direction from the {b} to the {a}, centre to centre, {is} the patient's left.
    {yes}. By its centroid, the mask of the {a} {is} the one further to the patient's left.
    {yes}, the middle of the {a} {lies} nearer to the patient's left side than that of the {b}.
    {yes}: the {a} centre {is} further left in the patient.
    {yes}. Seen from the patient, the mask of the {a} {lies} left of that of the {b}, by their centres.
    {yes}, its centroid {is} to the patient's left of the {b} centroid.
    """,
    "Answer yes or no.",
)

_SIDEWAYS = wordings(
    """
    Towards which side of the patient does the centre of the {a} lie from that of the {b}?
    Comparing centroids, on which side of the {b} is that of the {a}, seen from the patient?
    Across the patient, to which side of the centroid of the {b} is that of the {a}?
    On which side of the centre of the {b} is the centre of the {a}, in the patient's own terms?
    To which of the patient's sides is the centroid of the {a} displaced from that of the {b}?
    From the patient's point of view, on which side of the centre of the {b} is that of the {a}?
    Sideways, where is the centroid of the {a} relative to that of the {b}, from the patient's view?
    Which side of the centroid of the {b} does the centroid of the {a} lie on, in patient space?
    Side of the {a} centroid relative to the {b} centroid (patient)?
    Centres compared: {a} against {b}. Report the patient side on which the first lies.
    Starting at the centre of the {b}, towards which side of the patient do you go to reach that of the {a}?
    Could you name the patient's side to which the {a} centre is shifted, with the {b} centre as reference?
    For the report, state the side, patient's view, on which the {a} centroid is found from the {b} centroid.
    Lateral relation of the {a} to the {b}, by centroids and from the patient's view?
    If the patient pointed from the centre of the {b} to that of the {a}, to which side would the finger go?
    Determine on which side of the patient the mean position of the {a} lies from that of the {b}.
    I would like to know towards which side of the patient the {a} centroid is offset from the {b} centroid.
    Let me know the side: {a} centre as seen from the {b} centre, in patient orientation.
    Take the {b} centroid as zero on the sideways axis; on which patient side does the {a} centroid fall?
    Laterality of the {a} with respect to the {b}, centroid to centroid, in the patient's sense?
    In what sideways direction of the patient is the {a} centre removed from the {b} centre?
    Please fill in the blank: the {a} centroid is on the patient's ___ side of the {b} centroid.
    Whatever the display, on which of the patient's sides of the {b} centre do we meet the {a} centre?
    Is there a sideways offset from the {b} centre to the {a} centre, and to which patient side?
    Tell me which hand of the patient is on the side where the {a} centre lies from the {b} centre.
    Seen from within the patient, the {a} centroid is on what side of the {b} centroid?
    Judging by centres of mass, to which patient side of the {b} would you assign the {a}?
    Going from {b} to {a}, centre to centre, towards which flank of the patient does one move?
    Name the side of the patient towards which the {a} centroid deviates from the {b} centroid.
    Which of the two sides, the patient's view counting, does the {a} centre take with regard to the {b} centre?
    Work out the sideways relation: on what side, for the patient, of the {b} centroid is the {a} centroid?
    Projected on the axis across the body, where is the {a} centre from the {b} centre: on which patient side?
    By the masks' centroids, describe the side at which the {a} mask lies from the {b} mask in the patient.
    Provide the side, as the patient would say it, of the {a} centre from the {b} centre.
    With the centre of the {b} straight ahead, the centre of the {a} would be to which side of the patient?
    At which side of the {b}, measured between centroids and named for the patient, is the {a} mask situated?
    Orientation check: from the {b} centroid to the {a} centroid, which patient side?
    Find out the sideways position of the {a} compared with the {b} (centroids, sides of the patient).
    Considering only the axis across the patient, on what side of the {b} do we have the {a} centroid?
    How would the patient describe the side on which the {a} centre lies when the {b} centre is the reference?
    """,
    """
    The centroid of the {a} lies on the patient's {v} of that of the {b}.
    It lies to the patient's {v}, going by the centroids of the {a} and the {b}.
    To the patient's {v} of the centre of the {b}.
    From the patient's view, the {a} centre is on the {v}.
    On the {v} side of the patient.
    The {a} centroid is displaced to the {v}, seen from the patient.
    Compared with the {b}, the centre of the {a} is further {v} in the patient.
    Side: {v}, in the patient's own terms.
    One moves to the patient's {v} from the {b} to the {a}.
    By centroids, the mask of the {a} is on the {v} of that of the {b}.
    To the {v}.
    In patient space, the {a} centre is {v} of the {b} centre.
    """,
    "Answer left or right.",
)

_FRONT_BACK = wordings(
    """
    Along the front-back axis, where does the centre of the {a} lie relative to that of the {b}?
    Is the centroid of the {a} in front of or behind that of the {b}?
    Between front and back of the patient, how is the centroid of the {a} placed from that of the {b}?
    Comparing centroids from front to back, where is that of the {a} relative to that of the {b}?
    Does the centre of the {a} lie more to the front or more to the back than the centre of the {b}?
    In the front-back direction, on which side of the centroid of the {b} is that of the {a}?
    Going from the patient's front to the back, how does the centre of the {a} lie from that of the {b}?
    Relative to the centre of the {b}, is that of the {a} nearer to the front or to the back?
    Front-back relation of the {a} to the {b}, by centroids?
    Centres compared: {a} against {b}. Which is the direction of the first along front and back?
    With the patient lying face up, is the centre of the {a} above or below that of the {b}?
    Could you tell me if the {a} centre is closer to the patient's face-side or back-side than the {b} centre?
    For the report, place the {a} from front to back with respect to the {b}, centroid to centroid.
    Take the {b} centroid as zero on the front-back axis; towards which end does the {a} centroid fall?
    If you looked from the patient's front, would the centre of the {a} be nearer to you or farther than the {b} centre?
    Determine whether the mean position of the {a} is further forward or further backward than that of the {b}.
    I would like to know where, in depth from front to back, the {a} centre is compared with the {b} centre.
    Let me know the direction, towards front or back, from the {b} centre to the {a} centre.
    Which way along the front-back axis do you go from the centre of the {b} to that of the {a}?
    Please fill in the blank: along front-back, the {a} centroid is ___ to the {b} centroid.
    By centres of mass, does the {a} mask come before or behind the {b} mask when one passes from front to back?
    Judging the depth only: how does the {a} centroid relate to the {b} centroid, front or back?
    Name the end of the front-back axis towards which the centre of the {a} is shifted from the {b} centre.
    Is the back of the patient nearer to the {a} centroid or to the {b} centroid, and where does that put the {a}?
    Tell me how the {a} mask is situated with respect to the {b} in the patient's depth, by centroid.
    Seen from the side, does the {a} centre lie towards the front of the {b} centre or towards its back?
    Work out the relation on the front-back axis between the {a} centroid and the {b} centroid.
    Starting at the {b} centre, would a needle have to go frontwards or backwards to reach the {a} centre?
    Describe the front-back position of the centre of the {a}, taking that of the {b} as reference.
    What anatomical direction, front or back, leads from the centre of the {b} to that of the {a}?
    Projected on the axis from belly to back, where does the {a} centre fall with regard to the {b} centre?
    Provide the relative position along depth (front-back) of the {a} to the {b}, using centroids.
    Which term describes the {a} centroid as against the {b} centroid if only front and back count?
    In a lateral view, on the front or the back side of the {b} centre is the {a} centre?
    Compare the depth of two centroids, {a} and {b}: is the first towards the front or the back?
    Regarding front versus back, what is the location of the {a} centre from the {b} centre?
    Find out if one has to move forward or backward from the {b} centroid to arrive at the {a} centroid.
    Ignoring height and side, how does the centre of the {a} sit to the centre of the {b}, front or back?
    Orientation check, front-back axis: {a} centroid with respect to {b} centroid?
    When standing in front of the patient, is the {a} centre before or beyond the centre of the {b}?
    """,
    """
    The centroid of the {a} lies {v} to that of the {b}.
    It is {v}, going by the centroids of the {a} and the {b}.
    The centre of the {a} is {v} to the centre of the {b}.
    {v_cap} to the {b}, by centroids.
    Along the front-back axis, the {a} centre is {v}.
    The {a} centroid is found {v} to the {b} centroid.
    Compared with the {b}, the centre of the {a} is further {v}.
    Relation: {v}.
    One moves in the {v} direction from the {b} to the {a}.
    By its centroid, the mask of the {a} is {v} to that of the {b}.
    With the {b} as reference, the position is {v}.
    {v_cap}.
    """,
    "Answer anterior or posterior.",
)

_HEAD_FEET = wordings(
    """
    Along the head-feet axis, where does the centre of the {a} lie relative to that of the {b}?
    Is the centroid of the {a} nearer to the head or to the feet than that of the {b}?
    Between head and feet, how is the centroid of the {a} placed from that of the {b}?
    Comparing centroids from head to feet, where is that of the {a} relative to that of the {b}?
    Does the centre of the {a} lie higher or lower in the body than the centre of the {b}?
    In the head-feet direction, on which side of the centroid of the {b} is that of the {a}?
    Going from head to feet, how does the centre of the {a} lie from that of the {b}?
    Relative to the centre of the {b}, is that of the {a} closer to the head or to the feet?
    Head-feet relation of the {a} to the {b}, by centroids?
    Centres compared: {a} against {b}. Which is the direction of the first along head and feet?
    In a standing patient, would the centre of the {a} be above or below that of the {b}?
    Could you tell me if the {a} centre is at a higher or a lower level of the body than the {b} centre?
    For the report, place the {a} between head and feet with respect to the {b}, centroid to centroid.
    Take the {b} centroid as zero on the head-feet axis; towards which end does the {a} centroid fall?
    From the head downwards, which comes first, the {a} centre or the {b} centre, and where does that put the {a}?
    Determine whether the mean position of the {a} is further up or further down than that of the {b}.
    I would like to know at which level, up or down the body, the {a} centre is compared with the {b} centre.
    Let me know the direction, towards head or feet, from the {b} centre to the {a} centre.
    Which way along the body's length do you go from the centre of the {b} to that of the {a}?
    Please fill in the blank: along head-feet, the {a} centroid is ___ to the {b} centroid.
    By centres of mass, does the {a} mask lie over or under the {b} in an upright patient?
    Judging the height only: how does the {a} centroid relate to the {b} centroid?
    Name the end of the head-feet axis towards which the centre of the {a} is shifted from the {b} centre.
    Are the feet of the patient nearer to the {a} centroid or to the {b} centroid, and where does that put the {a}?
    Tell me how the {a} mask is situated with respect to the {b} along the length of the body, by centroid.
    On a coronal view, is the {a} centre above the {b} centre or beneath it?
    Work out the relation on the head-feet axis between the {a} centroid and the {b} centroid.
    Starting at the {b} centre, must one go headwards or feetwards to reach the {a} centre?
    Describe the height of the centre of the {a} in the body, taking that of the {b} as reference.
    What anatomical direction, towards head or feet, leads from the centre of the {b} to that of the {a}?
    Projected on the long axis of the body, where does the {a} centre fall with regard to the {b} centre?
    Provide the relative level (head-feet) of the {a} to the {b}, using centroids.
    Which term describes the {a} centroid as against the {b} centroid if only head and feet count?
    As one scrolls from head to feet, does the {a} centre come before or after the {b} centre?
    Compare the levels of two centroids, {a} and {b}: is the first towards the head or the feet?
    Regarding up versus down in the body, what is the location of the {a} centre from the {b} centre?
    Find out if one has to move up or down the body from the {b} centroid to arrive at the {a} centroid.
    Ignoring depth and side, how does the centre of the {a} sit to the centre of the {b}, headwards or feetwards?
    Orientation check, head-feet axis: {a} centroid with respect to {b} centroid?
    Craniocaudally, what position has the {a} centre with the {b} centre as the landmark?
    """,
    """
    The centroid of the {a} lies {v} to that of the {b}.
    It is {v}, going by the centroids of the {a} and the {b}.
    The centre of the {a} is {v} to the centre of the {b}.
    {v_cap} to the {b}, by centroids.
    Along the head-feet axis, the {a} centre is {v}.
    The {a} centroid is found {v} to the {b} centroid.
    Compared with the {b}, the centre of the {a} is further {v}.
    Relation: {v}.
    One moves in the {v} direction from the {b} to the {a}.
    By its centroid, the mask of the {a} is {v} to that of the {b}.
    With the {b} as reference, the level is {v}.
    {v_cap}.
    """,
    "Answer superior or inferior.",
)

_SIDE_OF = wordings(
    """
    Taking the {b} as the midline, on which side of the patient is the mask of the {a}?
    On which of the patient's sides was the mask of the {a} drawn, relative to the {b}?
    Relative to the midline at the {b}, which side of the patient's body holds the {a}?
    Which side of the patient is the mask of the {a} on, with the {b} to mark the middle?
    Seen from the patient, on which side of the {b} do you find the {a}?
    With the {b} as the middle of the body, where would the patient look for the {a}: on which side?
    Name the side of the patient that contains the {a}, measured from the {b}.
    Determine the side of the {a}, from the patient's point of view, with the {b} as midline.
    Side of the {a} (patient), midline at the {b}?
    Structure of interest: {a}. Report its side in the patient; midline reference: {b}.
    Could you tell me which side of the patient, divided at the {b}, has got the {a} in it?
    For the report, what is the laterality of the {a} if the patient is divided at the {b}?
    Split the patient by a sagittal plane through the {b}. In which half lies the mask of the {a}?
    I would like to know the body side of the {a}, given the {b} as central landmark and the patient's view.
    Let me know on which side the {a} mask lies for the patient, with the {b} as definition of the midline.
    Please fill in the blank: with the {b} as midline, the {a} region is on the patient's ___ side.
    Whatever the display convention, which patient side of the {b} does the {a} mask occupy?
    Laterality, patient's view: {a} with respect to a midline through the {b}?
    If the patient touched the skin over the {a}, on which side of the {b} would the hand be?
    A sagittal plane passes through the centroid of the {b}. Which patient side of it contains the {a}?
    Work out the patient's side for the {a} mask, using the {b} as the dividing line.
    Judged from the {b}, which flank of the patient has the region marked as {a}?
    Tell me the side of the body of the {a}, as the patient would say, seen from the {b}.
    In the patient's own terms, at what side of the {b} is the segmentation of the {a}?
    Before surgery the side must be certain. On which patient side, from the {b}, is the {a} mask?
    Orientation check: {a}, patient's side, the {b} being the middle?
    Find the half of the body, cut along the {b}, where the mask of the {a} lies; name the patient's side.
    The midline is given by the {b}. Which patient side shows the {a}?
    Considering the {b} to be central, does the {a} mask belong to one side of the patient, and to which?
    Provide the laterality label of the {a} for this patient, midline at the {b}.
    By the masks, towards which side of the patient from the {b} is the {a} mask found?
    Which of the two halves of the patient, parted at the {b}, includes nearly all of the {a}?
    How would you lateralise the {a} in this patient, with reference to the {b}?
    Using the {b} for orientation, state on what side of the patient one finds the {a}.
    Where, sideways from the {b} and in the patient's sense, do the voxels of the {a} lie?
    Assign the {a} to a side of the patient, the {b} being taken as midline structure.
    At the level of its mask, on what side of the patient's midline ({b}) do we see the {a}?
    From the {b} outwards, in the direction of which patient side does one come upon the {a}?
    Ask the patient to raise the hand on the side where the {a} mask lies from the {b}: which hand?
    Concerning sides, and with the {b} dividing the body, what holds for the {a} in this patient?
    """,
    """
    The mask of the {a} lies on the patient's {v} side of the {b}.
    On the {v}, with the {b} as the midline.
    The mask of the {a} is on the patient's {v} side.
    Seen from the patient, on the {v} of the {b}.
    On the {v} side.
    To the {v} of the midline, from the patient's view.
    The {v} half of the body holds the {a}.
    Side: {v}, in the patient's own terms.
    From the {b}, the region marked as {a} is on the patient's {v}.
    The laterality of the {a} is {v}.
    With the body divided at the {b}, it belongs to the {v} side.
    The patient has it on the {v}.
    """,
    "Answer left or right.",
)

PLACES: Mapping[str, Wordings] = MappingProxyType(
    {
        "slice_range": _SLICES,
        "box": _BOX,
        "is_left_of": _LEFT_OF,
        "relation_left_right": _SIDEWAYS,
        "relation_front_back": _FRONT_BACK,
        "relation_head_feet": _HEAD_FEET,
        "side_of": _SIDE_OF,
    }
)
