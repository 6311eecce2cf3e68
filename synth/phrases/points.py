"""Wordings of landmarks, whose names stand as they are, and of a clip's frames and time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import Wordings, wordings

_DISTANCE = wordings(
    """
    What is the distance between the landmarks {a} and {b} in mm?
    How many millimetres lie between the points {a} and {b}?
    Give the straight distance from {a} to {b} in mm.
    Measure how far {a} is from {b}, in millimetres.
    How far apart are the landmarks {a} and {b}, in mm?
    State the length in mm of the line from {a} to {b}.
    Determine the separation (mm) of the landmark {a} and the landmark {b}.
    In millimetres, how far is the landmark {b} from the landmark {a}?
    Distance {a} to {b}, mm?
    Landmarks: {a} and {b}. Report their distance in millimetres.
    A ruler connects {a} with {b}. What does it read in mm?
    Could you tell me how long the segment with the end points {a} and {b} is, in mm?
    For the analysis, I need {a} to {b} as a straight length in millimetres.
    Joining {a} and {b} by a straight line, what length in mm do you get?
    Compute the Euclidean distance (mm) between {a} and {b}.
    Two points are marked, {a} and {b}; by how many mm are they separated?
    Please measure from {a} straight to {b} and answer in mm.
    Linear measurement: {a} - {b}, in millimetres.
    What gap in mm is there from the point {a} to the point {b}?
    Let me know the millimetres that separate {a} from {b}.
    Work out, in mm, the direct way between {a} and {b}.
    I would like the spacing of {a} and {b}, in millimetres.
    Starting at {a}, how many mm must one go in a straight line to reach {b}?
    Express as mm how distant {a} and {b} are.
    Which length, in mm, belongs to the segment that begins in {a} and ends in {b}?
    Please fill in the blank: {a} to {b} = ___ mm.
    Tell me the size in mm of the interval between the marks {a} and {b}.
    Using the coordinates of {a} and {b}, find their distance in millimetres.
    Provide the point-to-point distance for {a} and {b} (mm).
    What do calipers set on {a} and {b} show, in mm?
    Calculate how many mm the straight connection between {a} and {b} measures.
    In this image, what is the {a}-{b} distance in mm?
    If {a} is one end and {b} the other, how long in mm is the line?
    By what distance (mm) does {b} lie away from {a}?
    Find the straight-line length in mm which links the landmark {a} to {b}.
    In space, {a} and {b} are apart by how many millimetres?
    Quantify the interlandmark distance of {a} and {b}, in mm.
    Between the markers called {a} and {b}, what distance in millimetres results?
    From the landmark coordinates, how near is {a} to {b}, in mm?
    What measurement in mm would you note for {a} to {b}?
    """,
    """
    The distance between {a} and {b} is {v} mm.
    {v} mm from {a} to {b}.
    The landmarks {a} and {b} are {v} mm apart.
    It is {v} mm.
    From {a} to {b} I measure {v} mm.
    The straight line between them has a length of {v} mm.
    Distance: {v} mm.
    The landmark {a} lies {v} mm away from {b}.
    The two points are separated by {v} mm.
    Calipers on {a} and {b} read {v} mm.
    The segment from {a} to {b} comes to {v} mm.
    {v} mm lie between the two landmarks.
    """,
    "Answer with a number in mm.",
)

_ANGLE = wordings(
    """
    What is the angle at {b} between the landmarks {a} and {c}, in degrees?
    Seen from the landmark {b}, what angle do {a} and {c} form, in degrees?
    Give the angle in degrees with its vertex at {b} and its arms through {a} and {c}.
    Measure the angle {a} - {b} - {c} in degrees, with {b} as its vertex.
    How many degrees is the angle whose vertex is {b} and whose sides pass through {a} and {c}?
    Determine the angle (degrees) that the points {a} and {c} subtend at {b}.
    State the angle at the landmark {b} towards {a} and {c}, in degrees.
    In degrees, what angle do the lines from {b} to {a} and from {b} to {c} enclose?
    Angle {a}-{b}-{c}, vertex {b}, in degrees?
    Landmarks: {a}, {b}, {c}. Report the angle at {b} in degrees.
    Standing at {b} and turning from {a} to {c}, by how many degrees do you turn?
    Could you tell me how wide the angle at {b} opens towards {a} and {c}, in degrees?
    For the cephalometric sheet, I need the angle {a}, {b}, {c} with apex {b}, in degrees.
    Two rays start at {b}, one through {a}, one through {c}. What angle in degrees lies between them?
    Compute in degrees the angle at apex {b}, given the points {a} and {c}.
    Consider the triangle of {a}, {b} and {c}: how many degrees is its angle at {b}?
    Please place the goniometer on {b} with its arms on {a} and {c}; what does it show in degrees?
    Angular measurement: {a} over {b} to {c}, vertex {b}, degrees.
    With {b} in the corner, which angle, in degrees, separates {a} from {c}?
    Let me know how many degrees there are at {b} from the direction of {a} to that of {c}.
    Work out the corner angle in {b} of the path {a} to {b} to {c}, in degrees.
    I would like the angle in degrees formed at {b} by {a} on one side and {c} on the other.
    By how many degrees do the directions {b} to {a} and {b} to {c} differ?
    Between {a} and {c}, as viewed from {b}, what is the angular distance in degrees?
    Please fill in the blank: angle {a}-{b}-{c} at {b} = ___ degrees.
    Tell me the size in degrees of the angle which has its apex in {b} and reaches from {a} to {c}.
    Using the three landmarks {a}, {b} and {c}, find the angle whose tip is {b}, in degrees.
    Provide the angle between the segments {b}-{a} and {b}-{c}, which meet in {b}, in degrees.
    What opening in degrees results at {b} if {a} and {c} are connected to it?
    Calculate the bend at {b} along {a}, {b}, {c} as an interior angle in degrees.
    In this image, how many degrees does the angle {a}-{b}-{c} measure at its vertex {b}?
    If {b} is the hinge and {a} and {c} the tips, at what angle in degrees is it open?
    Express in degrees the angle that {a}, {b} and {c} make at {b}.
    Which angle (degrees) does one obtain at {b} with legs ending in {a} and {c}?
    Find, in degrees, the angle included at {b} by the legs to {a} and {c}.
    Quantify the angle at {b}, legs towards {a} and {c}, in degrees.
    Draw lines from {b} to both {a} and {c}. How many degrees are enclosed?
    From the coordinates of {a}, {b} and {c}, what is the angle in degrees at the middle one, {b}?
    At vertex {b}, with one leg to {a} and one leg to {c}, the angle is how many degrees?
    What angle would you note in degrees for {a}, {b}, {c}, measured at {b}?
    """,
    """
    The angle at {b} is {v} degrees.
    {v} degrees, with the vertex at {b}.
    Seen from {b}, the angle between {a} and {c} is {v} degrees.
    It is {v} degrees.
    At {b} I measure {v} degrees.
    Angle: {v} degrees.
    The legs towards {a} and {c} enclose {v} degrees.
    The lines that meet in {b} form {v} degrees.
    Between {a} and {c} there are {v} degrees at {b}.
    The angle comes to {v} degrees.
    With {b} as apex, {v} degrees.
    The triangle has {v} degrees at {b}.
    """,
    "Answer with a number in degrees.",
)

_LINES = wordings(
    """
    What is the angle between the line through {a} and {b} and the line through {c} and {d}, in degrees?
    Give the acute angle in degrees between the lines {a} to {b} and {c} to {d}.
    How many degrees lie between the line from {a} to {b} and the line from {c} to {d}?
    Measure the angle between two lines, one through {a} and {b}, one through {c} and {d}, in degrees.
    State the acute angle (degrees) of the lines {a} - {b} and {c} - {d}.
    Determine the angle in degrees at which the line of {a} and {b} meets the direction of {c} and {d}.
    In degrees, how are the lines {a} to {b} and {c} to {d} inclined to each other?
    What acute angle do the lines {a} to {b} and {c} to {d} make, in degrees?
    Angle of {a}-{b} against {c}-{d}, degrees?
    Lines: {a} with {b}, and {c} with {d}. Report the angle they form in degrees.
    By how many degrees is the {a}-{b} line tilted relative to the one from {c} to {d}?
    Could you tell me how far, in degrees, the directions {a}-{b} and {c}-{d} deviate from being parallel?
    For the analysis, I need the acute inclination in degrees of {a}-{b} to {c}-{d}.
    Join {a} to {b}, and {c} to {d}: what acute angle in degrees is between the two connections?
    Compute, in degrees, the acute angle between the axes defined by {a}, {b} and by {c}, {d}.
    One reference line runs from {a} to {b}, the other from {c} to {d}. How many degrees part them?
    Please put a line through {a} and {b} and another through {c} and {d}; state their angle in degrees.
    Angular measurement of two lines, {a} to {b} and {c} to {d}, degrees.
    Which angle, at most ninety degrees, is there from the {a}-{b} axis to the {c}-{d} axis?
    Let me know the divergence in degrees of the line pair {a}, {b} and {c}, {d}.
    Work out how steeply, in degrees, the line {a} to {b} runs towards that of {c} and {d}.
    I would like the angle (degrees) enclosed by two straight lines, {a} through {b} and {c} through {d}.
    If the {c}-{d} line is taken as zero, at how many degrees does the {a}-{b} line stand to it?
    Between the direction of {a} to {b} and that of {c} to {d}, what acute angle in degrees is found?
    Please fill in the blank: line {a}-{b} to line {c}-{d} = ___ degrees.
    Tell me the acute angle, in degrees, at which {a}-{b} and {c}-{d} would cross.
    Using the landmarks {a}, {b}, {c} and {d}, find the angle of the first two's line to the last two's, in degrees.
    Provide in degrees the inclination of the axis {a}, {b} with regard to the axis {c}, {d}.
    What does the protractor show, in degrees, for line {a}-{b} and line {c}-{d}?
    Calculate the smaller of the angles between the {a}-{b} and {c}-{d} lines in degrees.
    In this image, how many degrees separate the orientation of {a}-{b} from that of {c}-{d}?
    How large, in degrees, is the acute angle spanned by {a} to {b} on one hand and {c} to {d} on the other?
    Express the relative slope of the lines {a} to {b} and {c} to {d} as an acute angle in degrees.
    Extend {a}-{b} and {c}-{d} as lines in space. Which angle in degrees do their directions have?
    Find in degrees how much the line connecting {a} and {b} leans against that connecting {c} and {d}.
    Quantify the angle of the two landmark lines, {a}/{b} and {c}/{d}, in degrees.
    Compare the line of {a} and {b} with the line of {c} and {d}: by what angle (degrees) do they differ?
    With one arm along {a}-{b}, the other along {c}-{d}, how many degrees does a goniometer show?
    From {a}, {b} and from {c}, {d} two lines arise; the acute angle in degrees is wanted.
    What would you note, in degrees, as the angle of {a}-{b} versus {c}-{d}?
    """,
    """
    The lines enclose {v} degrees.
    {v} degrees between the two lines.
    The acute angle of the two lines is {v} degrees.
    It is {v} degrees.
    I measure {v} degrees.
    Angle: {v} degrees.
    The line from {a} to {b} is inclined by {v} degrees to that from {c} to {d}.
    Their directions differ by {v} degrees.
    The angle comes to {v} degrees.
    Between {a}-{b} and {c}-{d} there are {v} degrees.
    The protractor shows {v} degrees.
    They would cross at {v} degrees.
    """,
    "Answer with a number in degrees.",
)

_FRAMES = wordings(
    """
    How many frames does the video have?
    What is the number of frames in this clip?
    Count the frames of the video.
    Of how many frames does this clip consist?
    Give the number of images in the video sequence.
    How many frames make up this clip?
    State the frame count of the video.
    What is the total frame count of this clip?
    Frame count?
    From the first frame to the last, how many are there?
    Could you tell me how many single images the clip is made of?
    For the log: number of frames, please.
    How many still pictures would you get by exporting every frame?
    Determine how many frames are shown.
    If each frame were printed on a page, how many pages would there be?
    Please count all images that follow one another in this sequence.
    The clip is a stack of frames. How many?
    Let me know the length of the video, counted in frames.
    In frames, how long is this sequence?
    What frame total does the recording contain?
    I would like to know the number of frames you were given.
    Report the size of the image sequence, in frames.
    Work out how many time points the video samples.
    Frames in total?
    By the end of the clip, how many frames have been played?
    Please fill in the blank: frames = ___.
    Tell me how many pictures this moving image has.
    Is the clip long? Answer with its number of frames.
    Provide the count of frames contained in this recording.
    How many samples in time does the video comprise?
    Enumerate the frames; which total do you reach?
    With one image per time step, how many images does the clip hold?
    Say how many frames are available for review.
    Through how many frames would a reader have to scroll?
    Sequence length, in number of frames?
    What count do you get when stepping through the video frame by frame?
    The recording was stored as single frames. Give their number.
    Quantify the clip by its frames: how many?
    Find out the number of successive images in this cine loop.
    Which number of frames does the sequence amount to?
    """,
    """
    The video has {v} frame{s}.
    The clip consists of {v} frame{s}.
    {v} frame{s}.
    There are {v} frame{s}.
    The frame count is {v}.
    I count {v} frame{s}.
    Frames: {v}.
    In total, the sequence holds {v} image{s}.
    The recording contains {v} frame{s}.
    It is made of {v} frame{s}.
    The number of frames is {v}.
    A reader would scroll through {v} frame{s}.
    """,
    "Answer with a number.",
)

_DURATION = wordings(
    """
    How long is the video in seconds?
    What is the duration of this clip in seconds?
    Give the duration of the video in s.
    For how many seconds does this clip run?
    State the length of the recording in seconds.
    How many seconds does the clip last?
    Determine the playing time (s) of this video.
    What is the running time of the clip, in seconds?
    Clip duration, s?
    From start to end, how many seconds go by?
    Could you tell me how much time, in seconds, the sequence covers?
    For the log: duration in seconds, please.
    If you watched the video once at normal speed, how many seconds would it take?
    What time span in seconds was recorded?
    Please read the total time of the clip from its time stamps, in seconds.
    Let me know over how many seconds this examination sequence extends.
    In seconds, what stretch of time is shown?
    I would like to know how long this lasts, in seconds.
    Work out the overall time (s) that all frames together take.
    Report the temporal length of the sequence in seconds.
    How many seconds long is the loop before it starts again?
    By the time stamps, what is the clip's total duration in seconds?
    Please fill in the blank: duration = ___ s.
    Tell me the seconds that pass while the video plays.
    Recording time in seconds?
    Over which period, in seconds, were these frames taken?
    Provide the video's length as a time in seconds.
    What does a stopwatch show in seconds after one full playback?
    Express the clip length in s.
    Calculate in seconds how long the moving image goes on.
    The clip begins at zero. At what second does it end?
    Which total time (s) do the frames and their intervals add up to?
    Say how many seconds of footage there are.
    Find the time in seconds between the beginning and the end of the recording.
    Quantify how long the cine loop runs, unit seconds.
    How much footage is this, in seconds?
    Measured in seconds, what is the extent of the video in time?
    Time covered by the sequence, in s, as a number?
    After how many seconds is the last frame over?
    At real-time speed the playback of this clip needs how many seconds?
    """,
    """
    The video lasts {v} seconds.
    The duration of the clip is {v} s.
    {v} seconds.
    It runs for {v} seconds.
    Duration: {v} s.
    The recording is {v} seconds long.
    In total {v} seconds are shown.
    By its time stamps the clip takes {v} seconds.
    The running time comes to {v} s.
    The sequence covers {v} seconds.
    There are {v} seconds of footage.
    The playing time is {v} seconds.
    """,
    "Answer with a number in seconds.",
)

POINTS: Mapping[str, Wordings] = MappingProxyType(
    {
        "distance_mm": _DISTANCE,
        "angle_deg": _ANGLE,
        "angle_between_lines_deg": _LINES,
        "frame_count": _FRAMES,
        "duration_s": _DURATION,
    }
)
