"""How and of what a picture was made: modality, body part, plane, side, projection, sequence, contrast.

Modalities are the codes of `manifests.vocabulary.MODALITIES`; body parts are its `BODY_PARTS` and the further regions
of `REGIONS`. Sides, planes and phases are plain words, projections of radiographs the codes of DICOM PS3.16 CID 4010
and 4014 where reports write these. What is left out because it means several things: `angiography` (of X-ray, CT, MR or
the eye's fluorescein), `echo`, `LV`, `PV`, and the one-letter sides of a retina.
"""

from __future__ import annotations

from manifests.terms.table import Table, table

_MODALITY = """
DX: CR; DR; XR; RG; x ray; xray; x rays; radiograph; radiography; plain film; plain radiograph; plain radiography;
 chest x ray; CXR; x ray radiography; projection radiography; digital radiography; computed radiography
MG: mammography; mammogram; mammo; full field digital mammography; FFDM
IO: intra oral radiography; intraoral radiography; intraoral imaging; dental x ray
PX: panoramic radiography; panoramic radiograph; panoramic x ray; orthopantomogram; orthopantomography; OPG
RF: fluoroscopy | XA: x ray angiography; digital subtraction angiography; DSA
CT: computed tomography; computerized tomography; CT scan; CAT scan
MR: MRI; magnetic resonance; magnetic resonance imaging; MR imaging; MRI scan
PT: PET; positron emission tomography | NM: nuclear medicine; scintigraphy; SPECT
US: ultrasound; ultrasonography; sonography; sonogram; ultrasound imaging; echocardiography
DMS: dermoscopy; dermatoscopy; dermoscopic image; dermatoscopic image
XC: clinical photography; clinical photograph; photograph; photography; digital photography
OP: fundus photography; fundus photograph; color fundus photography; color fundus photograph; CFP; fundus image;
 ophthalmic photography; retinal photography
OPT: optical coherence tomography
SM: slide microscopy; histopathology; histology; pathology; whole slide image; whole slide imaging; WSI
GM: general microscopy; microscopy; microscopy images
ES: endoscopy; colonoscopy; gastroscopy; capsule endoscopy; laparoscopy; bronchoscopy
figure: figures of articles | text | natural: natural images and video; natural image
"""
_BODY_PART = """
abdomen: abdominal; abd | adrenal gland: adrenal; adrenals; adrenal glands; suprarenal gland | ankle: ankles | aorta
bladder: urinary bladder | blood | bone: bones | brain: brain tissue; cerebrum | breast: breasts; mammary gland
cervix: cervix uteri; uterine cervix | chest: thorax; thoracic; chest lung | colon: large intestine; large bowel
elbow: elbows | esophagus | eye: eyes; eyeball | fetus: fetal | foot: feet | gallbladder: gall bladder | hand: hands
head and neck: head neck; headneck; head/neck | heart: cardiac | hip: hips | kidney: kidneys; renal | knee: knees
leg: legs; lower extremity; lower limb | liver: hepatic | lung: lungs; pulmonary | lymph node: lymph nodes
mouth: oral cavity | muscle: muscles | neck | ovary: ovaries | pancreas | pelvis: pelvic | prostate: prostate gland
retina: retinal | shoulder: shoulders | skin: cutaneous | small bowel: small intestine
spine: vertebral column; spinal column | spleen | stomach | teeth: tooth; dentition | thyroid: thyroid gland | uterus
vessels: blood vessels; vasculature | whole body: wholebody; full body | wrist: wrists
head | skull | face | jaw | arm: arms; upper extremity; upper limb | forearm | finger: fingers | extremity: extremities
cervical spine: cspine; c spine | thoracic spine: tspine; t spine | lumbar spine: lspine; l spine; lsspine
sacrum: sspine | abdomen and pelvis: abdomenpelvis; abdomen, pelvis; abdomen pelvis; abdomen/pelvis
chest and abdomen: chestabdomen; chest, abdomen; chest abdomen; chest/abdomen
chest, abdomen and pelvis: chestabdpelvis; chest, abdomen, pelvis; chest abdomen pelvis; chest/abdomen/pelvis
upper gastrointestinal tract: upper GI tract; upper GI | lower gastrointestinal tract: lower GI tract; lower GI
gastrointestinal tract: GI tract
"""
_PLANE = """
axial: ax; tra; transverse; transversal; transaxial; axial plane; transverse plane
coronal: cor; coronal plane | sagittal: sag; sagittal plane | oblique: oblique plane
"""
_SIDE = """
left: L; lt; left side; left sided | right: R; rt; right side; right sided
bilateral: B; both; both sides; bilaterally
"""
_EYE_SIDE = "left: OS; left eye | right: OD; right eye | bilateral: OU; both eyes"
_VIEW = """
AP: anteroposterior; antero posterior; AP view | PA: posteroanterior; postero anterior; PA view
lateral: LL; RL; lat; left lateral; right lateral; lateral view | frontal: frontal view | oblique: oblique view
MLO: mediolateral oblique; medio lateral oblique | CC: craniocaudal; cranio caudal
ML: mediolateral; medio lateral | LM: lateromedial; latero medial
"""
_ECHO = """
apical four-chamber: A4C; 4CH; apical 4 chamber; apical four chamber view; apical 4 chamber view
apical two-chamber: A2C; 2CH; apical 2 chamber; apical two chamber view; apical 2 chamber view
apical three-chamber: A3C; 3CH; apical 3 chamber; apical long axis
parasternal long-axis: PLAX; parasternal long axis view | parasternal short-axis: PSAX; parasternal short axis view
"""
_SEQUENCE = """
T1: T1w; T1n; T1 weighted; T1WI | T2: T2w; T2 weighted; T2WI | PD: PDw; proton density; proton density weighted
T1 with contrast: T1ce; T1c; T1Gd; T1 Gd; T1+C; T1 C+; T1 post; T1 post contrast; contrast enhanced T1; CE T1;
 T1 contrast enhanced; T1 weighted with contrast; gadolinium enhanced T1
FLAIR: T2f; T2 FLAIR; T2FLAIR; fluid attenuated inversion recovery
T2*: T2star; T2starw; T2 star; T2* weighted | DWI: diffusion weighted imaging; diffusion weighted
ADC: apparent diffusion coefficient; ADC map | SWI: susceptibility weighted imaging; susceptibility weighted
STIR: short tau inversion recovery | DTI: diffusion tensor imaging | ASL: arterial spin labeling
DCE: dynamic contrast enhanced; DCE MRI | BOLD: blood oxygen level dependent | T1 map: T1map | T2 map: T2map
LGE: late gadolinium enhancement; delayed enhancement
"""
_CONTRAST = """
non-contrast: noncontrast; no contrast; without contrast; unenhanced; non enhanced; native; plain; non contrast phase;
 non contrast CT; NCCT
contrast-enhanced: with contrast; contrast enhanced CT; enhanced; C+; CECT
arterial phase: arterial; C+ arterial phase | early arterial phase: early arterial
late arterial phase: late arterial; C+ late arterial phase
portal venous phase: portal venous; portovenous; portal phase; portal; PVP; C+ portal venous phase; portovenous phase
delayed phase: delayed; C+ delayed; C+ delayed phase | excretory phase: excretory; C+ excretory phase
nephrographic phase: nephrographic; C+ nephrographic phase | corticomedullary phase: corticomedullary
"""
_OPTICAL = "OP, OPT"

TABLES: tuple[Table, ...] = (
    table("modality", "modality", _MODALITY),
    table("modality of the eye", "modality", "OPT: OCT | OP: fundus", body_parts="eye, retina"),
    table("body part", "body_part", _BODY_PART),
    table("body part of the eye", "body_part", "retina: fundus; ocular fundus", modalities=_OPTICAL),
    table("plane", "plane", _PLANE),
    table("side", "laterality", _SIDE),
    table("side of the eye", "laterality", _EYE_SIDE, modalities=_OPTICAL),
    table("projection", "view_position", _VIEW),
    table("echocardiographic view", "view_position", _ECHO, modalities="US", body_parts="heart"),
    table("sequence", "sequence", _SEQUENCE),
    table("contrast", "contrast", _CONTRAST),
)
