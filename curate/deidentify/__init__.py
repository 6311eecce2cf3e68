"""De-identification of DICOM headers, gates and masks for pixels, gates for faces, and scrubbing of free text.

    header, profile   `clean_dataset`: headers          text        `scrub_text`, `identifiers`: free text
    nested, walk      sequences in their own bytes      values      single values of a header
    config            `DeidentifyConfig`: the recipe    gates       what a header says of text in pixels, and regions
    pixels            `clean_pixels`, `clean_frames`    burned_in   `find_text`: the detector (extra `ocr`)
    faces             `gate_face`, `gate_head`

Covered
- `clean_dataset`: every attribute of PS3.15 Table E.1-1 (edition in `tables/`) by the Basic Application Level
  Confidentiality Profile with the Retain Longitudinal Temporal Information with Modified Dates Option, at any depth:
  also private and unknown elements, curves (50xx), overlays (60xx), group lengths, file meta and preamble, and, beyond
  the table, person names, free text (LT ST UT UC UR) and opaque bytes (OB). Whatever has no rule is removed.
- `gate_pixels`, `mask_outside_regions`: files whose pixels are likely to show text are refused; ultrasound is blacked
  out outside its declared regions.
- `clean_pixels`, `clean_frames` with burned_in: detect: every 2D image and cine is looked at, text is blacked, what can
  still be read is refused.
- `gate_face`, `gate_head`: head CT and MR without a statement that they were defaced are refused, by header and looks.
- `scrub_text`, `identifiers`: known identifiers and well-formed e-mails, URLs, dates and long numbers in free text.
- What these rules leave is not taken on trust: `curate.sweep` searches what was made of a record for the identifiers of
  its own source, and withholds the record, and fails the verification, where it finds one.

NOT covered
- This is no anonymity. Chest radiographs and retinal photographs identify a person by themselves; rare diseases, sites
  and dates of known events single people out; who knows the key can test a guess.
- Faces are not removed: a refusal is all there is, and after common defacers a third of faces is still matched. An MR
  head that fills the field of view, and a CT of the face without the brain, are no heads to `gate_head`.
- Photographs of persons are recognised by RecognizableVisualFeatures YES alone.
- Text in pixels is not looked for unless the recipe says burned_in: detect. Without it nothing is looked at: what
  stands inside an ultrasound region, in an image whose header says nothing, and in pictures and clips that have no
  header (PNG, JPEG, MP4) passes as it is. With it are missed: writing by hand, logos, text that is fainter than its
  background's structure, and text that a cine shows for less than an eighth of its length and never as the brightest
  or darkest of its place; slices of volumes are never looked at. Refused instead of masked: text over half an image,
  text that is still read after two rounds, text that moves through more than 128 frames.
- Bits of PixelData above BitsStored (old overlays), comments inside compressed frames, audio and ICC profiles: pixels
  must be decoded, masked to BitsStored and written anew before they leave.
- Identifiers that somebody typed into a kept short field (LO, SH such as Manufacturer or CodeMeaning) stay there.
- In free text: names without a title or label that are not in the header, nicknames, places, streets without a
  number, numbers shorter than seven digits without a label.
"""

from __future__ import annotations

from curate.deidentify.burned_in import TextBox, find_text, ocr_missing
from curate.deidentify.config import DeidentifyConfig, Keep
from curate.deidentify.faces import FaceFacts, HeadEvidence, face_facts, gate_face, gate_head, looks_like_head
from curate.deidentify.gates import gate_pixels, has_regions
from curate.deidentify.header import Cleaned, age_years, capped_age, clean_dataset
from curate.deidentify.pixels import black_of, clean_frames, clean_pixels, find_text_over_time, mask_outside_regions
from curate.deidentify.profile import ProfileOptions
from curate.deidentify.text import identifiers, scrub_text

__all__ = [
    "Cleaned",
    "DeidentifyConfig",
    "FaceFacts",
    "HeadEvidence",
    "Keep",
    "ProfileOptions",
    "TextBox",
    "age_years",
    "black_of",
    "capped_age",
    "clean_dataset",
    "clean_frames",
    "clean_pixels",
    "face_facts",
    "find_text",
    "find_text_over_time",
    "gate_face",
    "gate_head",
    "gate_pixels",
    "has_regions",
    "identifiers",
    "looks_like_head",
    "mask_outside_regions",
    "ocr_missing",
    "scrub_text",
]
