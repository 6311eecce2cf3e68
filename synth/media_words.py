"""The wordings of the tasks on pictures and clips: a sentence that asks, under a frame that goes before or behind it.

A family's questions are all its sentences under all frames, each once: at least 40. `{a}` and `{b}` are names behind
"the" or a colon, `{box}` is a box in brackets. No wording holds a word of an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import lines

_PICTURE = lines(
    """
    {q}
    Look at the picture. {q}
    Here is an image to annotate. {q}
    I need help with this picture. {q}
    {q} Please be exact.
    Consider the image as a whole first. {q}
    """
)
_CLIP = lines(
    """
    {q}
    Watch the clip. {q}
    A question about this video: {q}
    I am annotating this recording. {q}
    {q} Please be exact.
    Go through the clip from its beginning. {q}
    """
)
_PAIR = lines(
    """
    {q}
    Look at the pictures one after the other. {q}
    This is about image quality. {q}
    A quality check, please. {q}
    {q} Only the pictures themselves decide it.
    """
)


def framed(frames: tuple[str, ...], questions: str) -> tuple[str, ...]:
    """Every question under every frame, duplicates left out."""
    made = (frame.replace("{q}", question) for question in lines(questions) for frame in frames)
    return tuple(dict.fromkeys(made))


QUESTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "box": framed(
            _PICTURE,
            """
            Where in the picture is the {a}?
            Mark the {a} with a bounding box.
            Which box encloses all that the picture shows of the {a}?
            Give the bounding box of the {a}.
            Localise the {a}.
            Draw the tightest box around the {a} and state its corners.
            Structure to locate: {a}. What is its bounding box?
            What are the pixel coordinates of the box around the {a}?
            """,
        ),
        "what": framed(
            _PICTURE,
            """
            What is marked by the box {box}?
            Which structure does the box {box} tightly enclose?
            Name what lies in the region {box}.
            The region {box} has been outlined. What is it?
            Identify the content of the bounding box {box}.
            To what does the box {box} belong?
            Someone drew the box {box}. Around which structure?
            What would you call the structure whose bounding box is {box}?
            """,
        ),
        "which": framed(
            _PICTURE,
            """
            Which of these boxes holds the {a}?
            Which box is the bounding box of the {a}?
            Only one of these regions is that of the {a}. Which one?
            Pick the box that fits the {a}.
            Of the boxes below, which one encloses the {a}?
            The {a} is inside one of these boxes. In which?
            Match the {a} with its bounding box.
            """,
        ),
        "larger": framed(
            _PICTURE,
            """
            Which covers more of the picture, the {a} or the {b}?
            Compare the areas that the {a} and the {b} take up in this picture. Which is the larger?
            Of the {a} and the {b}, which has the larger area here?
            By visible area, is the {a} or the {b} the larger one in this picture?
            Two structures: {a}, {b}. Which fills more pixels?
            Which of the two takes up more pixels, the {a} or the {b}?
            Count pixels: which wins, the {a} or the {b}?
            """,
        ),
        "place": framed(
            _PICTURE,
            """
            In which part of the picture is the {a}?
            Divide the picture into three rows and three columns. In which field lies the middle of the {a}?
            Roughly where in the picture is the middle of the {a}?
            Say in which ninth of the picture the {a} has its middle.
            Which part of the image has the middle of the {a} in it?
            Where does one find the {a}, in terms of the picture's nine fields?
            Position of the {a} within the frame?
            """,
        ),
        "grounded": framed(
            _PICTURE,
            """
            Describe what is segmented in this picture, with a box for each structure.
            Write a caption in which every structure carries its bounding box.
            Which structures can be seen, and in which boxes?
            Give a grounded description of this picture.
            List the marked structures with their boxes and where they lie.
            Caption this image; add the pixel box behind each structure that you name.
            What does the picture show? Ground every structure in a box.
            """,
        ),
        "area": framed(
            _PICTURE,
            """
            What area does the {a} cover in this picture, in mm²?
            Measure the area of the {a} on this picture in square millimetres.
            How many mm² of the {a} are seen here?
            Give the cross-sectional area of the {a} in this picture, in mm².
            Determine the visible area (mm²) of the {a}.
            How large, in square millimetres, is what this picture shows of the {a}?
            Area of the {a} in this picture, in mm²?
            """,
        ),
        "width": framed(
            _PICTURE,
            """
            How wide is the {a} in this picture, from its leftmost to its rightmost pixel, in mm?
            Measure the width of the bounding box of the {a} in mm.
            What is the horizontal extent of the {a} in this picture, in millimetres?
            From side to side, how many millimetres of the picture does the {a} span?
            Give the width (mm) of the box around the {a}.
            Horizontal extent of the {a}, in mm?
            Between its left and right edges in the picture, how broad is the {a} in mm?
            """,
        ),
        "pixels": framed(
            _PICTURE,
            """
            How many pixels of this picture show the {a}?
            Count the pixels that belong to the {a}.
            What area does the {a} cover in this picture, in pixels?
            Give the visible area of the {a} as a number of pixels.
            How large is the {a} here, measured in pixels?
            Pixel count of the {a}?
            Over how many pixels does the {a} extend?
            """,
        ),
        "twin_kind": framed(
            _PAIR,
            """
            The second picture is a degraded copy of the first. What was done to it?
            Picture 2 was made from picture 1. Which degradation does it show?
            Compare both pictures: which quality problem does the second one have?
            Which artifact or quality loss tells the second picture from the first?
            What is wrong with the second picture, measured against the first?
            Name the degradation by which the second picture differs from the first.
            From the first to the second picture quality was lost. In which way?
            Of these quality problems, which one was put into the second picture?
            """,
        ),
        "twin_which": framed(
            _PAIR,
            """
            Which of the two pictures is a degraded copy of the other one?
            One of these pictures has lost quality. Which one?
            Which picture is of lower quality?
            Two versions of the same picture: which of them was degraded?
            One version is untouched, the other is not. Which one was tampered with?
            Tell the degraded picture from the original: which is it?
            Which picture would you have to reject for its quality?
            Which of both is not the original?
            """,
        ),
        "twin_order": framed(
            _PAIR,
            """
            Pictures 2, 3 and 4 are copies of picture 1, degraded to different degrees. Order them from the least to \
the most degraded.
            The first picture is the original. How do the other three rank, the best one first?
            Rank pictures 2 to 4 by how strongly they were degraded against picture 1, the mildest first.
            Sort the three copies of picture 1 from mild to severe.
            In which order do the copies of the first picture become worse?
            After the original come three copies. Which sequence goes from the slightest to the heaviest degradation?
            From best to worst, in which order do pictures 2, 3 and 4 stand?
            Put the three degraded copies in order of rising severity.
            """,
        ),
        "event_start": framed(
            _CLIP,
            """
            When does this begin: {a}?
            At what second of the clip does the following start: {a}?
            How many seconds into the clip is the beginning of this event: {a}?
            Event: {a}. Give its starting time in seconds.
            State the time, in seconds from the first frame, at which this sets in: {a}.
            From which second on can this be seen: {a}?
            Find the onset in seconds of: {a}.
            """,
        ),
        "event_end": framed(
            _CLIP,
            """
            When does this end: {a}?
            At what second of the clip is the following over: {a}?
            How many seconds into the clip is the end of this event: {a}?
            Event: {a}. Give the time in seconds at which it ends.
            Until which second does this go on: {a}?
            State the time, in seconds from the first frame, at which this stops: {a}.
            Find the last second of: {a}.
            """,
        ),
        "event_span": framed(
            _CLIP,
            """
            From when to when does this happen: {a}?
            Give the start and the end, in seconds, of: {a}.
            Which stretch of the clip, in seconds, shows this: {a}?
            Localise this event in time: {a}.
            Between which seconds does this take place: {a}?
            Mark the part of the video with: {a}.
            Temporal extent of this event: {a}?
            """,
        ),
        "event_duration": framed(
            _CLIP,
            """
            How long, in seconds, does this last: {a}?
            Event: {a}. What is its duration in seconds?
            For how many seconds does this go on: {a}?
            Measure the duration (s) of: {a}.
            How many seconds pass from the start to the end of this: {a}?
            Give the length in seconds of the following: {a}.
            Length in time of this event, in s: {a}?
            """,
        ),
        "event_first": framed(
            _CLIP,
            """
            Which comes first: {a}, or {b}?
            Two events: {a}; {b}. Which of them starts earlier?
            What happens earlier in the clip: {a}, or {b}?
            Order in time: does the clip come to "{a}" or to "{b}" first?
            Of "{a}" and "{b}", which has the earlier beginning?
            Which of these starts before the other: {a}; {b}?
            Compare the onsets of "{a}" and "{b}". Which is the earlier?
            """,
        ),
        "event_count": framed(
            _CLIP,
            """
            How many times does this happen in the clip: {a}?
            Count the occurrences of: {a}.
            How often is this seen: {a}?
            In how many separate stretches of the clip does this occur: {a}?
            Event: {a}. How many occurrences are there?
            Give the number of times at which this takes place: {a}.
            Number of occurrences of: {a}?
            """,
        ),
        "event_order": framed(
            _CLIP,
            """
            In which order do these begin?
            Put these events in the order in which the clip shows them.
            Which sequence is that of the clip?
            Arrange what happens by the time at which it starts.
            What is the right order in time?
            How do these follow each other?
            Sort the events from the earliest to the latest start.
            """,
        ),
        "event_at": framed(
            _CLIP,
            """
            What is going on at {t} s?
            Which event does the clip show {t} s after its first frame?
            At {t} s, what is happening?
            Stop the clip at {t} s. What is being done or seen?
            Which phase or event is the clip in at {t} s?
            Name what takes place at {t} s.
            The time is {t} s. What does the video show?
            """,
        ),
        "cut_time": framed(
            _CLIP,
            """
            When is the {n} cut?
            At what second of the clip is the {n} cut?
            Give the time of the {n} cut in seconds.
            How many seconds into the clip does the {n} cut come?
            State in seconds when the {n} abrupt change to another shot happens.
            Find the {n} cut: at which second is it?
            The {n} cut, at what time?
            """,
        ),
        "cut_count": framed(
            _CLIP,
            """
            How many cuts does this clip have?
            Count the hard cuts from one shot to the next.
            How often does the picture change abruptly to another shot?
            Give the number of cuts.
            Between how many pairs of frames is there a cut?
            By how many cuts are the shots of this clip parted?
            Number of cuts in the clip?
            """,
        ),
    }
)

ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "box": lines(
            """
            The {a}: {v}.
            The box of the {a} is {v}.
            The {a} lies in {v}.
            {v} encloses the {a}.
            Bounding box of the {a}: {v}.
            """
        ),
        "what": lines(
            """
            It is the {v}.
            The box encloses the {v}.
            That is the {v}.
            The {v}.
            This region is the {v}.
            """
        ),
        "larger": lines(
            """
            The {v} covers more pixels.
            The {v}.
            In this picture the {v} has the larger area.
            More of the picture is taken up by the {v}.
            """
        ),
        "place": lines(
            """
            The middle of the {a} is in the {v}.
            It lies in the {v} of the picture.
            In the {v}.
            The {a} has its middle in the {v} of the picture.
            """
        ),
        "event_start": lines(
            """
            It begins at {v} s.
            At {v} s.
            The clip comes to it at {v} s.
            {v} s after the first frame.
            """
        ),
        "event_end": lines(
            """
            It ends at {v} s.
            At {v} s.
            It is over at {v} s.
            {v} s after the first frame.
            """
        ),
        "event_span": lines(
            """
            It is seen in this stretch: {v} s.
            {v} s.
            The clip shows it in {v} s.
            Between its start and its end: {v} s.
            """
        ),
        "event_duration": lines(
            """
            It lasts {v} s.
            {v} s.
            Its duration is {v} s.
            It goes on for {v} s.
            """
        ),
        "event_first": lines(
            """
            First comes: {v}.
            The earlier one: {v}.
            {v}.
            It starts with: {v}.
            """
        ),
        "event_count": lines(
            """
            {v} time{s}.
            It happens {v} time{s}.
            I count {v}.
            Occurrences: {v}.
            """
        ),
        "event_at": lines(
            """
            {v}.
            At that time: {v}.
            What goes on then: {v}.
            The clip shows: {v}.
            """
        ),
        "cut_time": lines(
            """
            At {v} s.
            The {n} cut is at {v} s.
            {v} s.
            It comes {v} s after the first frame.
            """
        ),
        "cut_count": lines(
            """
            {v} cut{s}.
            The clip has {v} cut{s}.
            I count {v}.
            Cuts: {v}.
            """
        ),
    }
)
