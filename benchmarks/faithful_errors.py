"""Errors put into true sentences, one at a time, by rules that know nothing of the code under test.

Each function takes a text, its truth (all that is known, as one text) and a random generator, and gives the altered
text, or None where the kind does not apply. An alteration is given only where it makes the text wrong: a side that is
not one of a pair named together, an organ and a finding that the truth does not name, a number that it does not hold.
The word lists are this benchmark's own; `FINDINGS` has a half for developing and a half that was held out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

Alter = Callable[[str, str, Random, str], str | None]

_NOUNS = """
liver spleen kidney pancreas stomach gallbladder colon duodenum appendix bladder prostate uterus heart lung
brain cerebellum thyroid esophagus trachea aorta breast femur humerus tibia clavicle sternum mandible hip knee
ankle shoulder elbow wrist pelvis abdomen chest neck skull sacrum ovary larynx retina tongue rectum diaphragm
patella scapula thymus pituitary orbit ureter
"""
NOUNS = _NOUNS.split()
_ADJECTIVES = """
hepatic splenic renal pancreatic gastric colonic duodenal cerebral cerebellar cardiac pulmonary tracheal
esophageal prostatic uterine ovarian femoral humeral tibial pelvic abdominal thoracic cervical cranial
mandibular rectal laryngeal retinal pericardial pleural mediastinal
"""
ADJECTIVES = _ADJECTIVES.split()
# Words that are true of a thing of which one of these stems is true: no error is made by them.
_REGIONS = {
    "chest thoracic": "chest thora lung pulmon heart cardia pleur rib stern medias bronch trache hilar atri aort",
    "abdomen abdominal": "abdom liver hepat spleen splen kidney renal pancrea stomach gastr gallbl colon bowel duoden "
                         "append adrenal periton intestin bile bilia ureter iliac cecum ileum jejun mesenter oment",
    "pelvis pelvic": "pelvi pelvis bladder prostat uter hip rectu rectal sacr ovar acetab femoral vagin adnex",
    "neck cervical": "neck cervi thyroid laryn pharyn carotid",
    "head skull cranial": "head skull crani brain cereb orbit eye retin sinus mandib maxil ear hippoc ventric pituit",
    "brain cerebral": "brain cereb crani hippoc cortex frontal parietal tempor occipit ventric head pons thalam",
    "spine": "spine spinal verteb lumb sacr", "heart cardiac": "heart cardia atri ventric myocard valve coronar",
    "lung pulmonary": "lung pulmon lobe bronch alveol", "liver hepatic": "liver hepat", "kidney renal": "kidney renal",
    "stomach gastric": "stomach gastr", "breast": "breast mamm", "retina retinal": "retin fundus macul",
    "shoulder": "shoulder glenoh", "esophagus esophageal": "esophag", "uterus uterine": "uter metri",
}  # fmt: skip
SAME_REGION = {word: stems.split() for words, stems in _REGIONS.items() for word in words.split()}
FINDINGS = {
    "development": """pneumothorax|pleural effusion|consolidation|atelectasis|cardiomegaly|rib fracture|lung nodule
        |hiatal hernia|liver cyst|renal calculus|ascites|splenomegaly|hydronephrosis|aortic aneurysm|bowel obstruction
        |pancreatitis|cerebral infarct|subdural hematoma|hydrocephalus|meningioma|lymphadenopathy|emphysema
        |pulmonary embolism|gallstones|appendicitis|osteoarthritis|scoliosis|bone metastases|abscess|melanoma
        |diverticulosis|polyp|ulcer|thrombosis|pulmonary edema|bronchiectasis|cirrhosis|glioblastoma|goiter
        |spondylolisthesis""",
    "held out": """pericardial effusion|ground-glass opacities|tuberculosis|interstitial fibrosis|pleural thickening
        |vertebral compression fracture|mediastinal mass|hemothorax|pneumomediastinum|calcified granuloma|air trapping
        |cavitation|kyphosis|osteoporosis|rotator cuff tear|meniscal tear|joint effusion|osteomyelitis
        |avascular necrosis
        |hepatic steatosis|portal vein thrombosis|cholecystitis|intussusception|volvulus|pyelonephritis|ovarian torsion
        |uterine fibroids|hydrocele|prostatic hyperplasia|intracranial hemorrhage|arteriovenous malformation
        |multiple sclerosis plaques|pituitary adenoma|sinusitis|mastoiditis|retinal detachment|macular edema
        |basal cell carcinoma|ductal carcinoma|coronary stenosis|aortic dissection|endocarditis|mitral regurgitation
        |varicocele|pneumoperitoneum|epiglottitis|hamartoma|lipoma|neurofibroma|rhabdomyosarcoma|craniopharyngioma
        |sialadenitis|spondylodiscitis|cholangiocarcinoma|pheochromocytoma|bezoar|hemangioma|ureterocele""",
}  # fmt: skip
ADDED = {
    "development": ("There is also {f}.", "{F} is also seen.", "An additional finding is {f}.", "Also noted: {f}."),
    "held out": ("In addition, {f} can be appreciated.", "This is accompanied by {f}.", "{F} coexists.",
                 "The patient also has {f}.", "{F} was found incidentally."),
}  # fmt: skip
_SIDE = re.compile(r"\b(left|right)(?=\b|ward|-sided)", re.IGNORECASE)
_PAIRED = re.compile(
    r"\b(left|right)\b[^.;]{0,24}\b(and|or|to|than|versus)\b[^.;]{0,24}\b(left|right)\b|(left|right)[/-](left|right)",
    re.I,
)
_SIZE = re.compile(
    r"(?<![\w.,/-])(\d+(?:\.\d+)?)(?=\s?-?(?:mm|cm|ml|mL|HU|ms|kVp?|years?|-year|months?|mg|%|seconds?|frames|slices"
    r"|days?|weeks?|×|x\s\d|MHz|kg)\b|%)"
)
_UNIT = re.compile(r"(?<=\d)(\s?-?)(mm|cm)\b(?![²³^])")
_CUES: tuple[tuple[str, str], ...] = (
    (r"\bno (?:evidence|signs?) of\b", "clear evidence of"), (r"\bwithout (?:any )?(?:evidence|signs?) of\b", "with"),
    (r"\bdid not (?=reveal|show|demonstrate)", "did "), (r"\bdoes not (?=reveal|show|demonstrate)", "does "),
    (r"\bwithout(?: any)?\b", "with"), (r"\bdenie[sd](?: any)?\b", "reports"), (r"\bnegative for\b", "positive for"),
    (r"\babsence of\b", "presence of"), (r"\b(is|are|was|were|has|have|had|does|do|did|could|can) not\b", r"\1"),
    (r"\b(is|are|was|were|has|have|had|does|do|did)n['’]t\b", r"\1"), (r"\bcannot\b", "can"),
    (r"\bno (?=\w+)(?!longer|more|less)", ""), (r"\bnot (?=\w+ed\b)", ""),
)  # fmt: skip
_HEDGES: tuple[tuple[str, str], ...] = (
    (r"\b(?:highly |very )?suspicious (?:for|of)\b", "diagnostic of"), (r"\bsuggestive of\b", "diagnostic of"),
    (r"\bsuggest(?:s|ing)\b", "proving"), (r"\bsuggested\b", "proved"),
    (r"\bcannot be (?:excluded|ruled out)\b", "is seen"),
    (r"\b(?:may|might|could) (represent|indicate|reflect|suggest)\b", r"\1s"), (r"\b(?:may|might|could) be\b", "is"),
    (r"\b(?:most )?(?:likely|probably|possibly|presumably) ", ""), (r"\b(?:possible|probable|suspected|presumed) ", ""),
)  # fmt: skip


def _one(pattern: re.Pattern[str], text: str, random: Random) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return random.choice(found) if found else None


def side(text: str, truth: str, random: Random, half: str) -> str | None:
    """Left becomes right, or right left, at one place; not where both are named as a pair."""
    del half
    held = [(m.start(), m.end()) for m in _PAIRED.finditer(text)]
    found = [m for m in _SIDE.finditer(text) if not any(a <= m.start() < b for a, b in held)]
    if not found or re.search(r"\bboth\b|\bbilateral", truth, re.IGNORECASE):
        return None
    match = random.choice(found)
    turned = {"left": "right", "right": "left"}[match[1].lower()]
    turned = turned.capitalize() if match[1][0].isupper() else turned
    return text[: match.start()] + turned + text[match.end() :]


def organ(text: str, truth: str, random: Random, half: str) -> str | None:
    """One organ becomes another that the truth does not name, nor anything of its region."""
    del half
    for words in random.sample([NOUNS, ADJECTIVES], 2):
        pattern = re.compile(rf"\b({'|'.join(words)})(s?)\b", re.IGNORECASE)
        match = _one(pattern, text, random)
        if match is None:
            continue
        low = truth.lower()
        free = [w for w in words if not any(stem in low for stem in (w[:5], *SAME_REGION.get(w, ())))]
        if free:
            other = random.choice(free)
            other = other.capitalize() if match[1][0].isupper() else other
            return text[: match.start()] + other + match[2] + text[match.end() :]
    return None


def size(text: str, truth: str, random: Random, half: str) -> str | None:
    """One measured number becomes ten times as large; not where the truth has that number too."""
    del half
    match = _one(_SIZE, text, random)
    if match is None or float(match[1]) == 0:
        return None
    larger = f"{float(match[1]) * 10:g}" if float(match[1]) * 10 < 1e6 else f"{float(match[1]) * 10:.0f}"
    if re.search(rf"(?<![\d.]){re.escape(larger)}(?![\d.]|\.\d)", truth):
        return None
    return text[: match.start()] + larger + text[match.end() :]


def finding(text: str, truth: str, random: Random, half: str) -> str | None:
    """A sentence with a finding none of whose words the truth has."""
    names = [" ".join(name.split()) for name in FINDINGS[half].split("|")]
    low = truth.lower()
    free = [n for n in names if not any(word[:6] in low for word in re.findall(r"[a-z]{4,}", n))]
    if not free:
        return None
    name = random.choice(free)
    added = random.choice(ADDED[half]).format(f=name, F=name[0].upper() + name[1:])
    return f"{text.rstrip().rstrip('.')}. {added}" if random.random() < 0.8 else f"{added} {text}"


def _replaced(text: str, rules: tuple[tuple[str, str], ...], random: Random) -> str | None:
    places = []
    taken: list[tuple[int, int]] = []
    for pattern, to in rules:
        for m in re.finditer(pattern, text, re.IGNORECASE):
            if not any(a < m.end() and m.start() < b for a, b in taken):
                taken.append((m.start(), m.end()))
                places.append((m, to))
    if not places:
        return None
    match, to = random.choice(places)
    return text[: match.start()] + match.expand(to) + text[match.end() :]


def negation(text: str, truth: str, random: Random, half: str) -> str | None:
    """One denial is dropped; not where it denies too little to be wrong without it ("not only", "no longer")."""
    del truth, half
    if re.search(r"\b(?:not|no) (?:only|longer|doubt)\b|\bcannot be (?:excluded|ruled)", text, re.IGNORECASE):
        return None
    return _replaced(text, _CUES, random)


def certainty(text: str, truth: str, random: Random, half: str) -> str | None:
    """What is only supposed is stated."""
    del truth, half
    return _replaced(text, _HEDGES, random)


def unit(text: str, truth: str, random: Random, half: str) -> str | None:
    """Millimetres become centimetres, or the other way round."""
    del truth, half
    match = _one(_UNIT, text, random)
    if match is None:
        return None
    return text[: match.start()] + match[1] + {"mm": "cm", "cm": "mm"}[match[2]] + text[match.end() :]


def comparison(text: str, truth: str, random: Random, half: str) -> str | None:
    """A change over time of which the truth says nothing."""
    del half
    if re.search(r"increas|decreas|larg|small|new|unchanged|stable|progress|resol|improv|wors|reduc|grow", truth, re.I):
        return None
    added = ("This has increased since the last examination.", "It is larger than before.",
             "There is slight improvement.",
             "The findings are unchanged from the prior study.", "This is new compared with the previous scan.",
             "The disease has progressed.")  # fmt: skip
    return f"{text.rstrip().rstrip('.')}. {random.choice(added)}"


KINDS: dict[str, Alter] = {"side": side, "organ": organ, "size x10": size, "added finding": finding,
                           "dropped negation": negation}  # fmt: skip
FURTHER: dict[str, Alter] = {"dropped hedge": certainty, "mm for cm": unit, "made-up change": comparison}
