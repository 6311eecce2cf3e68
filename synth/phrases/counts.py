"""Wordings of counts, of the largest structure, and of attenuation inside a mask."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synth.phrases import Wordings, wordings

# What counts as one: behind every question of a count, by what its source tells apart.
OUTLINED = "Each one that the annotators outlined counts, also where two touch."
TOUCHING = "Regions that touch, also diagonally, count as one."

_COUNT = wordings(
    """
    Count the {a} in the image: how many separate ones are there?
    How many separate regions of the {a} does the image show?
    In how many separate places do you see the {a}?
    Give the number of the {a}, each separate one counted once.
    What is the number of separate regions that show the {a}?
    Going through the image, how often do you come upon the {a} anew?
    State how many individual regions of the {a} are visible.
    Separate ones of the {a}, how many?
    Structure of interest: {a}. Report how many separate ones can be seen.
    Could you count the {a} for me, one after the other?
    For the report: the number of the {a}, please.
    Do you see the {a} once or several times, and how often?
    Determine the count of the {a} in this image.
    How often does a separate region of the {a} occur?
    I would like to know how many separate regions show the {a}, all over the image.
    Please tell me in how many spots, apart from each other, the {a} can be made out.
    Taken one at a time, how many regions of the {a} do you find?
    Number of the {a} in this image?
    Look for the {a} everywhere in the image. What total do you reach?
    Let me know the number of the {a} by counting each that stands for itself.
    Please fill in the blank: number of the {a} in the image: ___.
    Enumerate the {a}: how many do you get?
    What is the tally for the {a}?
    If you pointed at the {a} one by one, how many times would you point?
    Provide a count of the {a}.
    Find out how many there are of the {a}.
    Object count request: {a}.
    Across the whole image, to how many of the {a} do you come?
    As for the {a}, what is the total number shown?
    Work out the quantity of individual {a} regions.
    To mark the {a} completely, how many separate outlines would you draw?
    With every one of the {a} included, what does the count come to?
    Tell me how many distinct ones of the {a} appear.
    All of the {a} are to be counted. Which number is right?
    Someone numbers the {a} starting at one. At which number does it end?
    What count do you arrive at for the {a}?
    From your own look at the image, how many of the {a} are there?
    One, two, or more? Say exactly how many regions of the {a} you can tell apart.
    Suppose the {a} had to be listed singly: how long would the list be?
    Please quantify the {a} by their number.
    """,
    """
    {v} separate region{s} of the {a}.
    I count {v}.
    The number of separate regions is {v}.
    Number of the {a}: {v}.
    The count for the {a} is {v}.
    In total, {v}.
    The image shows {v} separate region{s} of the {a}.
    Counted one by one: {v}.
    The tally for the {a} comes to {v}.
    I find {v} region{s} of the {a}.
    For the {a} the total is {v}.
    It is {v} in number.
    """,
    "Answer with a number.",
)

_LARGEST = wordings(
    """
    Which of the segmented structures has the largest volume?
    What is the largest segmented structure by volume?
    Name the structure with the greatest segmented volume.
    Among the segmented structures, which one comes out biggest in mL?
    Which marked structure occupies the most space?
    Of all the masks, which one encloses the largest volume?
    Identify the segmented structure of greatest volume.
    By volume, which segmented structure comes first?
    Largest segmented structure?
    Compare the volumes of all masks and name the winner.
    If the structures were ranked by size, which would head the list?
    Could you tell me which segmented structure is the most voluminous?
    For the report, state the structure that takes up the most millilitres.
    Volumetry was done for each mask. Where was the highest value found?
    Please name the structure that takes up more space than any other.
    Which structure fills the most room in the scan?
    One of the outlined structures exceeds all others in volume. Which one?
    Sort the structures from large to small; what stands at the top?
    To which structure does the most segmented tissue belong?
    I would like to know what the biggest outlined structure is.
    What structure is larger than every other segmented one?
    Judged by the masks, what is the bulkiest structure?
    Tell me the name of the structure whose mask holds the maximum volume.
    Which structure contributes most to the total segmented volume?
    Pick out the structure that is largest in terms of millilitres.
    No other mask is as large as this one. Which structure does it show?
    Taking the segmentations at face value, which structure is of maximum size?
    Find the structure with the top volume.
    Answer with one structure: whose volume is the greatest here?
    Let me know which of the outlined regions would need the biggest container.
    What do the masks say: which structure leads in volume?
    Which single structure has more volume than each of the rest?
    Order by volume, descending, and give the first entry.
    Determine which segmentation is the most extensive, by volume.
    Where do the volume measurements peak, in which structure?
    Put simply, which of the marked parts is the biggest?
    Report the name of the most space-filling structure among those segmented.
    When the masks are weighed against each other by volume, which prevails?
    Whichever structure has the highest volume, name it.
    Please fill in the blank: largest segmented structure = ___.
    """,
    """
    The largest segmented structure is the {v}.
    By volume, the largest is the {v}.
    The {v}.
    It is the {v}.
    Of all masks, that of the {v} has the greatest volume.
    The greatest segmented volume belongs to the {v}.
    Largest: the {v}.
    First in volume comes the {v}.
    No mask is larger than that of the {v}.
    The most space is taken up by the {v}.
    Ranked by volume, the {v} would stand at the top.
    The structure with the largest mask is the {v}.
    """,
    "Answer with the name of the structure only.",
)

_MEAN = wordings(
    """
    What is the mean attenuation of the {a} in Hounsfield units?
    Give the mean HU inside the {a}.
    What is the average CT number of the {a}, in HU?
    How many HU does the mask of the {a} measure on average?
    Measure the average attenuation (HU) within the mask of the {a}.
    Determine the mean Hounsfield value of the {a}.
    State the mean CT attenuation of the {a} in HU.
    Averaged over the mask, which attenuation in HU results for the {a}?
    Mean density of the {a}, HU?
    Structure of interest: {a}. Report the average attenuation in Hounsfield units.
    Place a region of interest over the entire {a}; what mean HU does it show?
    Could you tell me how dense the {a} mask is on average, in HU?
    For the report, I need the mean CT density of the {a} in HU.
    Averaging all voxels labelled {a}, what number of Hounsfield units do you obtain?
    On CT, how bright is the mask of the {a} on average? Answer in HU.
    Densitometry of the {a}: mean value in HU, please.
    What would an ROI that covers exactly the {a} read, as a mean in HU?
    Take the CT values of every voxel of the {a} and average them (HU).
    In Hounsfield units, what is the central attenuation of the {a}, as an arithmetic mean?
    Please quantify the X-ray attenuation of the {a} by its mean, in HU.
    Let me know the average grey value, calibrated in HU, of the region marked as {a}.
    Work out the mean over all {a} voxels in Hounsfield units.
    I would like to have the average HU for the structure called {a}.
    How attenuating is the mask of the {a} in the mean (HU)?
    Compute from the CT what HU value represents the {a} on average.
    Expressed in HU, what mean density was measured in the {a}?
    Which average CT number, in HU, goes with the segmentation of the {a}?
    Please fill in the blank: mean attenuation of the {a} = ___ HU.
    Tell me what the attenuation within the {a} averages to, in Hounsfield units.
    Sum the HU of the {a} over its mask and divide by the voxel count. What remains?
    Provide the ROI mean (HU) with the {a} mask as ROI.
    With the mask as ROI, at how many HU does the {a} mean lie?
    Find the arithmetic mean of the Hounsfield numbers found in the {a}.
    A densitometric question: the mean of the {a} in HU?
    On this scan, what mean HU is seen throughout the {a}?
    Attenuation request: {a}, mean over the mask, in HU.
    What mean do the CT values (HU) in the {a} have?
    Calculate the typical HU of the {a}, typical in the sense of the mean.
    On the Hounsfield scale, where does the mean of the {a} fall?
    Averaged throughout, how many Hounsfield units are there in the {a}?
    """,
    """
    The mean attenuation of the {a} is {v} HU.
    On average the mask of the {a} measures {v} HU.
    {v} HU, averaged over the mask of the {a}.
    The average CT number is {v} HU.
    Mean: {v} HU.
    Inside the {a} the attenuation averages {v} HU.
    I measure {v} HU on average.
    The voxels of the {a} have a mean of {v} HU.
    An ROI over the whole {a} reads {v} HU.
    It is {v} HU in the mean.
    The mean density of the {a} comes to {v} HU.
    Averaged throughout, {v} HU.
    """,
    "Answer with a number in HU.",
)

_HU = wordings(
    """
    What is the {c} of the {a} in Hounsfield units?
    Give the {c} inside the {a}, in HU.
    Within the mask of the {a}, which value in HU has the {c}?
    State for the {a} the {c}, as a value in HU.
    Determine the {c} (HU) over the voxels of the {a}.
    Measure how large the {c} inside the mask of the {a} is, in HU.
    Over all voxels of the {a}, what do you find as the {c} in HU?
    How many HU is the {c} of the {a}?
    For the {a}: {c}, HU?
    Structure of interest: {a}. Report the {c} in Hounsfield units.
    Use the {a} mask as a region of interest; how many Hounsfield units does the {c} come to?
    Could you compute the {c} for the segmented {a}, in HU?
    For densitometry, I need the {c} of the region marked as {a}, in HU.
    Taking each voxel labelled {a} into account, what would be the {c} (HU)?
    CT histogram of the {a}: {c} in HU, please.
    Look at the distribution of CT values in the {a}. What, in HU, is the {c}?
    In HU, what number describes the {c} throughout the {a}?
    Please read off the {c} from the CT values of the {a} (HU).
    Let me know, in Hounsfield units, the {c} that the {a} voxels show.
    Work out the {c} for the mask labelled {a} and answer in HU.
    I would like to know the {c} found within the {a}, on the Hounsfield scale.
    From the voxels of the {a}, derive the {c} in Hounsfield units.
    Which HU value results for the {a} if the {c} is asked for?
    Report on the {a} with one HU figure: the {c}.
    Please fill in the blank for the {a}: {c} = ___ HU.
    Tell me what the {c} amounts to in the {a}, in HU.
    Provide the ROI statistic "{c}" (HU) with the {a} as ROI.
    Calculate, by means of the {a} segmentation, the {c} in HU.
    What does the HU histogram of the {a} give as the {c}?
    Collect the Hounsfield numbers inside the {a}; the {c} is wanted.
    ROI analysis, {a}: how many HU for the {c}?
    Expressed in HU, at which value is the {c} for the {a} segmentation?
    Quantify the {c} of the structure labelled {a} in Hounsfield units.
    A statistic of the {a} is requested, namely the {c}, in HU.
    Based on all its voxels, which {c} (in HU) characterises the {a} region?
    When the CT values of the {a} are pooled, what is their statistic called {c}, in HU?
    Find the {c}, measured in HU, for everything outlined as {a}.
    With the outline of the {a} as boundary, state in HU the {c} of what is inside.
    Statistic wanted: {c}. Region: {a}. Unit: HU. What is the value?
    Inside the outlined {a}, how high in Hounsfield units is the {c}?
    """,
    """
    The {c} of the {a} is {v} HU.
    {v} HU is the {c} inside the {a}.
    Inside the mask of the {a} the {c} is {v} HU.
    It is {v} HU.
    For the {a}, the {c} comes to {v} HU.
    I measure {v} HU.
    The voxels of the {a} give {v} HU.
    Over the whole mask, the {c} is {v} HU.
    The value is {v} HU.
    With the {a} as region of interest, {v} HU.
    In the region marked as {a}, the {c} amounts to {v} HU.
    The histogram of the {a} shows {v} HU.
    """,
    "Answer with a number in HU.",
)

COUNTS: Mapping[str, Wordings] = MappingProxyType({"count": _COUNT, "largest": _LARGEST, "mean_hu": _MEAN, "hu": _HU})
