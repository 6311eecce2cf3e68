"""The wordings of the tasks on pictures and clips: sentences with alternatives in square brackets.

A family's questions are all its sentences in all their forms, each once: at least 40. `{a}` and `{b}` are names behind
"the" or a colon, never a subject whose number a verb must follow (lungs and liver must both fit); `{box}` is a box in
brackets. No wording holds a word of an answer.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import lines

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SPACES = re.compile(r" (?=[?.,:])| +(?= )")


def spun(questions: str) -> tuple[str, ...]:
    """Every question with every choice of its alternatives (`[Give|State] the box`), duplicates left out."""
    made: dict[str, None] = {}
    for question in lines(questions):
        fixed = _CHOICE.split(question)  # what stands between brackets has an odd place
        forms = ([part] if at % 2 == 0 else part.split("|") for at, part in enumerate(fixed))
        made.update(dict.fromkeys(_SPACES.sub("", "".join(words)) for words in itertools.product(*forms)))
    return tuple(made)


QUESTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "box": spun(
            """
            Where in [this|the] [picture|image] do you see the {a}?
            [Mark|Outline|Frame|Enclose] the {a} with a [bounding box|tight box].
            Which box [encloses|contains|takes in] all that the [picture|image] shows of the {a}?
            [Give|State|Report|Write down] the [bounding box|smallest enclosing box] of the {a}.
            [Localise|Locate|Find] the {a} [in this image|by a bounding box].
            Draw the tightest box around the {a} and [state|give] its corners.
            Structure to locate: {a}. What [is its bounding box|are the corners of its box]?
            What are the [corners|coordinates] of the [box|bounding box] around the {a}?
            """
        ),
        "what": spun(
            """
            What [is marked by|lies in|is enclosed by|is seen within] the box {box}?
            Which structure does the box {box} [tightly enclose|mark|surround]?
            [Name|Identify|Say] what lies in the [region|box|area] {box}.
            The [region|area] {box} [has been outlined|was marked]. What is it?
            [Identify|Name] the [content|structure in the middle] of the bounding box {box}.
            [To what|To which structure] does the [box|rectangle] {box} belong?
            [Someone|An annotator|A colleague] drew the box {box}. Around which structure?
            What would you call the structure [whose bounding box is|framed by] {box}?
            What does the [region|rectangle] {box} of this [picture|image] show?
            Look at the [region|rectangle] {box}: which structure [is it|do you recognise]?
            """
        ),
        "which": spun(
            """
            Which of [these|the following] boxes [holds|encloses|surrounds|frames] the {a}?
            Which [box|option] is the bounding box of the {a}?
            Only one of these [regions|boxes] is that of the {a}. Which [one|is it]?
            [Pick|Choose|Select] the box that [fits|encloses] the {a}.
            Of the boxes [below|listed|offered], which one [encloses|contains|belongs to] the {a}?
            Which option [gives|states|holds] the [place|position|location] of the {a} in this [picture|image]?
            [Match|Pair] the {a} with [its bounding box|the right box].
            [In|Within] which of these boxes do you find the {a}?
            """
        ),
        "larger": spun(
            """
            Which [covers|takes up|fills] more of the [picture|image], the {a} or the {b}?
            Compare the areas that the {a} and the {b} [take up|cover|fill] [here|in this image]. Which is the larger?
            Of the {a} and the {b}, which [has the larger area|takes up more room|covers more] [here|in this image]?
            By visible area, which [comes first|is ahead|exceeds the other|is the larger]: the {a} or the {b}?
            Two structures: {a}, {b}. Which [fills more pixels|has the larger area|covers more of the image]?
            Which of the two [takes up|covers] more [pixels|of the image], the {a} or the {b}?
            [Judge|Compare] by area: which [prevails|is the larger], the {a} or the {b}?
            Seen in this [picture|image], which has the greater area: the {a} or the {b}?
            Is there more of the {a} or of the {b} in this [picture|image]?
            [In this picture|In this image|Here], which one is seen over the larger area, the {a} or the {b}?
            """
        ),
        "place": spun(
            """
            In which [part|ninth|field] of the [picture|image] do you find the {a}?
            Divide the picture into three rows and three columns. In which field lies the middle of the {a}?
            [Roughly where|Where|In which part] in the [picture|image] lies the middle of the {a}?
            [State|Name] the [ninth|part|field] of the [picture|image] that holds the middle of the {a}.
            Which [part|field] of the [picture|image] has the middle of the {a} in it?
            Where does one [find|see] the {a}, in terms of the picture's nine fields?
            [Position|Place] of the {a} within the [frame|image]?
            Which of the nine parts of the [picture|image] would you point to for the {a}?
            Where should a reader look for the {a} in this [picture|image]?
            To find the {a}, to which [part|ninth] of the [picture|image] do you turn?
            """
        ),
        "grounded": spun(
            """
            Describe what is [segmented|marked|outlined] in this [picture|image], with a box for each structure.
            [Write|Compose|Give] a caption in which [every|each] structure carries its bounding box.
            Which structures [can be seen|do you see|are shown], and in which boxes?
            Give a grounded description of this [picture|image].
            [List|Name] the [marked|outlined|visible] structures with their boxes and where they lie.
            Caption this [image|picture]; add the box of each structure that you name.
            What does the [picture|image] show? [Ground every structure in a box|Give a box for each structure].
            [Describe|Caption] the [picture|image] and [say|state] for each structure where it lies, with its box.
            [Tell|Report] which structures the [image|picture] shows and [where|at which boxes].
            """
        ),
        "area": spun(
            """
            [What|Which] area of the {a} [is seen|is visible] in this [picture|image], in mm²?
            [Measure|Determine|State] the area of the {a} [on|in] this [picture|image] in square millimetres.
            How many [mm²|square millimetres] of the {a} are seen [here|in this picture|in this image]?
            [Give|Report] the [cross-sectional|visible] area of the {a} in this [picture|image], in mm².
            [Determine|Work out] the [visible|shown] area (mm²) of the {a}.
            How large, in square millimetres, is what this [picture|image] shows of the {a}?
            [Area|Visible area] of the {a} in this [picture|image], in mm²?
            """
        ),
        "width": spun(
            """
            How wide, [from side to side|edge to edge], is what this [picture|image] shows of the {a}, in mm?
            [Measure|Determine|State] the width of the [bounding box|box] of the {a} in mm.
            What is the [horizontal extent|width] of the {a} in this [picture|image], in [mm|millimetres]?
            How many [mm|millimetres] lie between the left and the right edge of the {a} in this [picture|image]?
            [Give|Report|Note] the width (mm) of the box around the {a} [in this image|].
            [Horizontal extent|Width] of the {a} [in this picture|in this image|], in mm?
            By how many [mm|millimetres] are the left and right edges of the {a} apart?
            [Left edge to right edge|Side to side], how many [mm|millimetres] of the {a} are shown?
            """
        ),
        "pixels": spun(
            """
            How many pixels of [this|the] [picture|image] [show|belong to] the {a}?
            [Count|Give the number of] the pixels that [belong to|show] the {a}.
            [What|Which] area of the {a} is visible in this [picture|image], in pixels?
            [Give|State|Report] the visible area of the {a} [as a number of pixels|in pixels].
            How large an area of the {a} [is seen|is shown] here, measured in pixels?
            [Pixel count|Area in pixels] of the {a} [in this picture|in this image|]?
            By how many pixels is the {a} region [represented|shown] in this [picture|image]?
            [State|Report] how many pixels [of the image|of the picture|] show the {a}.
            """
        ),
        "twin_kind": spun(
            """
            The second [picture|image] is a degraded copy of the first. What was done to it?
            [Picture|Image] 2 was made from [picture|image] 1. Which degradation does it show?
            Compare both [pictures|images]: which quality problem does the second one have?
            Which [artifact|loss of quality|quality problem] tells the second [picture|image] from the first?
            What is wrong with the second [picture|image], [measured against|compared with] the first?
            [Name|Identify|State] the degradation by which the second [picture|image] differs from the first.
            From the first to the second [picture|image] quality was lost. [In which way|How]?
            Of these quality problems, which one was [put into|given to] the second [picture|image]?
            By what kind of degradation was the second [picture|image] made from the first?
            What [has happened to|has changed in] the quality of the second [picture|image]?
            Which quality problem would you [note|report] for the second [picture|image] beside the first?
            """
        ),
        "twin_which": spun(
            """
            Which of the two [pictures|images] is a degraded copy of the other one?
            One of these [pictures|images] has lost quality. Which [one|is it]?
            Which [picture|image] is of [lower|poorer|worse] quality?
            Two versions of the same [picture|image]: which of them was degraded?
            One version is untouched, the other is not. Which one was [tampered with|degraded|changed]?
            Tell the degraded [picture|image] from the original: which is it?
            Which [picture|image] would you have to reject for its quality?
            Which of both [is not the original|is the copy of lower quality]?
            [By their quality|Judged by quality], which of the two [pictures|images] was degraded?
            Which of these two [pictures|images] has been made [worse|poorer] than the other?
            Where was quality taken away: in which of the two [pictures|images]?
            If only one of these [pictures|images] could be kept, which would you [discard|throw out] for its quality?
            Which [picture|image] shows the [same content|same view] in poorer quality?
            """
        ),
        "twin_order": spun(
            """
            [Pictures|Images] 2, 3 and 4 are copies of the first, degraded to different degrees. Order \
them from the least to the most degraded.
            The first [picture|image] is the original. How do the other three rank, the best one first?
            Rank [pictures|images] 2 to 4 by how strongly they were degraded against the first, the mildest first.
            Sort the three copies of [the first picture|the first image|the original] from mild to severe.
            In which order do the copies of the first [picture|image] [become worse|lose quality]?
            After the original come three copies. Which sequence goes from the slightest to the heaviest degradation?
            From best to worst, in which order do [pictures|images] 2, 3 and 4 stand?
            [Put|Arrange|Sort] the three degraded copies in order of [rising|increasing] severity.
            [Beginning|Starting] with the [mildest|slightest] degradation, how would you order [pictures|images] 2 to 4?
            Which order of the three copies leads from [slight|mild] to [strong|severe] degradation?
            By quality, [best|highest] first: what is the order of [pictures|images] 2 to 4?
            The copies of the first [picture|image] differ in severity. Give their order, the least degraded first.
            """
        ),
        "event_start": spun(
            """
            When does [this|the following] [begin|start|set in]: {a}?
            At what second of the [clip|video|recording] does the following [start|begin]: {a}?
            How many seconds into the [clip|video] is the [beginning|start|onset] of this event: {a}?
            Event: {a}. [Give|State|Note] its [starting time|onset] in seconds.
            [State|Give] the time, in seconds from the first frame, at which this [sets in|begins|starts]: {a}.
            From which second on can this be seen: {a}?
            [Find|Determine] the [onset|start|beginning] in seconds of: {a}.
            After how many seconds does this [begin|start|set in]: {a}?
            """
        ),
        "event_end": spun(
            """
            When does [this|the following] [end|stop|cease]: {a}?
            At what second of the [clip|video|recording] is the following [over|finished]: {a}?
            How many seconds into the [clip|video] is the end of this event: {a}?
            Event: {a}. [Give|State|Note] the time in seconds at which it [ends|stops|is over].
            Until which second does this [go on|last|continue]: {a}?
            [State|Give] the time, in seconds from the first frame, at which this [stops|ends|is over]: {a}.
            [Find|Name|Note] the last second of: {a}.
            After how many seconds does this [end|stop]: {a}?
            How long after the first frame, in seconds, is this [over|finished|at its end]: {a}?
            """
        ),
        "event_span": spun(
            """
            From when to when does this [happen|go on|take place]: {a}?
            [Give|State|Note] the start and the end, in seconds, of: {a}.
            Which [stretch|part|interval] of the [clip|video|recording], in seconds, shows this: {a}?
            [Localise|Locate|Find] this event in time: {a}.
            Between which seconds [does this take place|can this be seen]: {a}?
            Mark the [part|stretch|interval] of the [video|clip|recording] with: {a}.
            [Temporal extent|Start and end, in seconds,] of this event: {a}?
            When does this [begin and end|start and stop], in seconds: {a}?
            [State|Give|Report|Note] [from when to when|between which seconds] the [clip|video] shows this: {a}.
            """
        ),
        "event_duration": spun(
            """
            How long, in seconds, does this [last|go on|take]: {a}?
            Event: {a}. What is its [duration|length] in seconds?
            For how many seconds does this [go on|last|continue]: {a}?
            [Measure|Determine|State|Find] the duration (s) of: {a}.
            How many seconds [pass|lie|elapse] [from the start to|between the start and] the end of this: {a}?
            [Give|State|Report|Note] the length in seconds of the following: {a}.
            [Length in time|Duration] of this event, in s: {a}?
            How many seconds [of the clip|of the video|of the recording] does this take up: {a}?
            [Time the following|Clock the following], in seconds: {a}.
            What [is the duration of this|length in time has this], in seconds: {a}?
            From its first to its last moment, how many seconds does this [last|take]: {a}?
            How much time, in seconds, [does this take|goes by during this|is filled by this]: {a}?
            [Work out|Calculate|Say|Tell] how many seconds this lasts: {a}.
            """
        ),
        "event_first": spun(
            """
            Which comes first [in the clip|in the video|]: {a}, or {b}?
            Two events: {a}; {b}. Which of them [starts earlier|comes first|begins earlier|sets in first]?
            What happens earlier in the [clip|video|recording]: {a}, or {b}?
            [Order in time|In order of time]: does the [clip|video] come to "{a}" or to "{b}" first?
            Of "{a}" and "{b}", which [has the earlier beginning|starts first|sets in earlier]?
            Which of these [starts|begins|sets in] before the other: {a}; {b}?
            Compare the [onsets|beginnings|starting times|starts] of "{a}" and "{b}". Which is the earlier?
            Which of the two do you [see|meet] first [in the clip|in the video|in the recording]: {a}, or {b}?
            What does the [clip|video|recording] show [first|earlier], {a} or {b}?
            Which [precedes|leads], going by [the start|the beginning]: {a}, or {b}?
            """
        ),
        "event_count": spun(
            """
            How many times does this [happen|occur|take place] in the [clip|video|recording]: {a}?
            Count the occurrences of: {a}.
            How often is this [seen|shown]: {a}?
            In how many separate stretches of the [clip|video|recording] does this [occur|happen]: {a}?
            Event: {a}. How [many occurrences are there|often does it happen]?
            [Give|State|Note] the number of times [at which|that] this [takes place|happens]: {a}.
            Number of occurrences of: {a}?
            How many [separate|distinct] times can this be seen: {a}?
            [Over|Through] the whole [clip|video|recording], how often [does this occur|is this seen]: {a}?
            Going through the [clip|video], how many times do you [see|meet] this: {a}?
            """
        ),
        "event_order": spun(
            """
            In which order do these [begin|start|set in]?
            [Put|Arrange] these events in the order in which the [clip|video|recording] shows them.
            Which sequence is that of the [clip|video|recording]?
            [Arrange|Sort|List] what happens by the time at which it [starts|begins].
            What is the right order in time?
            How do these follow each other [in the clip|in the video|in time|]?
            Sort the events from the earliest to the latest [start|beginning|onset].
            Which order of [events|happenings] matches the [clip|video|recording]?
            In what sequence does the [clip|video|recording] show these?
            By their [starts|beginnings], how are the events ordered?
            Which comes when? [Give|State] the order [in time|of events].
            From first to last, how do the events [start|begin|follow]?
            What [happens|occurs] first, what next? [Give|Choose|Pick] the order.
            Which of these sequences [is right|fits the clip|fits the video]?
            """
        ),
        "event_at": spun(
            """
            What is going on at {t} s?
            Which event does the [clip|video|recording] show {t} s after its first frame?
            At {t} s, what is [happening|going on|being shown]?
            [Stop|Pause] the [clip|video|recording] at {t} s. What is being done or seen?
            Which phase or event is the [clip|video|recording] in at {t} s?
            [Name|State|Say|Tell] what takes place at {t} s.
            The time is {t} s. What does the [video|clip|recording] show?
            [Go|Jump] to {t} s: what [is happening|takes place] there?
            What can be seen at {t} s [of the clip|of the video|]?
            When {t} s have passed, what [is the clip showing|is the video showing|is going on]?
            [Which|What] event [is on|fills] the [screen|picture] at {t} s?
            """
        ),
        "cut_time": spun(
            """
            When is the {n} cut [in this clip|in this video|]?
            At what second of the [clip|video|recording] is the {n} cut?
            [Give|State|Report|Note] the time of the {n} cut in seconds.
            How many seconds into the [clip|video|recording] does the {n} cut come?
            [State|Say|Tell] in seconds when the {n} abrupt change to another shot [happens|occurs|comes].
            Find the {n} cut: at which second is it?
            The {n} cut, at [what|which] time?
            [At|In] what second [falls|lies|comes] the {n} cut?
            [After how many seconds|At which second] does the {n} [cut come|change of shot occur]?
            How long after the first frame is the {n} cut [made|seen|], in seconds?
            At which time, in s, does the {n} [cut|change of shot] [fall|come|occur]?
            Time of the {n} cut, in [seconds|s]?
            """
        ),
        "cut_count": spun(
            """
            How many cuts does this [clip|video|recording] have?
            Count the [hard|abrupt] cuts [from one shot to the next|in this clip|in this video].
            How often does the picture change abruptly to another shot?
            [Give|State|Report|Note] the number of cuts [in this clip|in this video|].
            Between how many pairs of frames is there a cut?
            By how many cuts are the shots of this [clip|video|recording] parted?
            Number of cuts in the [clip|video|recording]?
            How many times does one shot [give way to|change abruptly to] another?
            How often was this [clip|video|recording] cut?
            How many [hard|abrupt] changes of shot [are there|do you see|can be counted]?
            What is the [total|number] of cuts [here|in this recording|]?
            """
        ),
    }
)

ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "box": lines(
            """
            The {a}: {v}.
            The box of the {a} is {v}.
            You find the {a} in {v}.
            {v} encloses the {a}.
            Bounding box of the {a}: {v}.
            """
        ),
        "box_tagged": lines(
            """
            {v}
            The {v}.
            It is here: {v}.
            Bounding box: {v}.
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
            The {v} of the picture holds the middle of the {a}.
            It lies in the {v} of the picture.
            In the {v}.
            The middle of the {a} lies in the {v} of the picture.
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
