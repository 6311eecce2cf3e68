"""What is seen of other organs: breast, bowel, slides, brain, heart, kidney, teeth, thyroid, fetus.

`mass` and `calcification` are terms of the breast and of the chest each for itself; `MR` is a regurgitation in an
echocardiogram's finding and a modality where a modality is told.
"""

from __future__ import annotations

from manifests.terms.table import ANY, Table, table
from manifests.terms.uses import BOTH, SEEN

_BREAST = """
breast tumor | mass: masses | calcification: calcifications; calc | no finding: no findings
suspicious calcification: suspicious calcifications | architectural distortion | asymmetry | focal asymmetry
global asymmetry | skin thickening | skin retraction | nipple retraction | suspicious lymph node: suspicious lymph nodes
normal | benign | malignant | benign, without callback: benign without callback | normal or benign
"""
_BIRADS = " | ".join(f"BI-RADS {n}: BIRADS {n}; BI-RADS category {n}" for n in (*"01234", "4A", "4B", "4C", *"56"))
_TIRADS = " | ".join(f"TI-RADS {n}: TIRADS {n}; TI-RADS category {n}" for n in (*"1234", "4A", "4B", "4C", "5"))
_BOWEL = """
polyp: polyps | resected polyp: resected polyps | dyed lifted polyp: dyed lifted polyps; dyed and lifted polyps
dyed resection margin: dyed resection margins | ulcerative colitis | esophagitis | hemorrhoid: hemorrhoids
Barrett's esophagus: barretts; barrett's; barretts esophagus | ulcer: ulcers | erosion: erosions | erythema
angiectasia: angioectasia; angiectasias | lymphangiectasia | foreign body: foreign bodies | bleeding
fresh blood: blood - fresh; blood fresh | hematin: blood - hematin; blood hematin | impacted stool
reduced mucosal view | normal mucosa: normal clean mucosa | ampulla of Vater | ileum
z-line: normal z-line | pylorus: normal pylorus | cecum: normal cecum
ileocecal valve: ileo-cecal valve | retroflexed rectum: retroflex rectum | retroflexed stomach: retroflex stomach
"""
_LANDMARK = "anatomical landmark: landmark; anatomical landmarks; anatomical landmark class"
_COLON = """
adipose tissue: ADI; adipose | background: BACK | debris: DEB | lymphocytes: LYM | mucus: MUC | smooth muscle: MUS
normal colon mucosa: NORM | cancer-associated stroma: STR
colorectal adenocarcinoma epithelium: TUM; tumor epithelium
"""
_SLIDES = """
metastasis: metastases; metastatic tissue; metastatic tumor tissue | lung adenocarcinoma: lung_aca
lung squamous cell carcinoma: lung_scc | normal lung tissue: lung_n | colon adenocarcinoma: colon_aca
normal colon tissue: colon_n
"""
_BRAIN = """
glioma: gliomas | glioblastoma: GBM; glioblastoma multiforme | low-grade glioma: LGG | high-grade glioma: HGG
pediatric glioma | meningioma: meningiomas | pituitary tumor: pituitary | no tumor: notumor
brain metastasis: brain metastases; cerebral metastases | intracranial hemorrhage: ICH
subarachnoid hemorrhage: SAH | subdural hematoma: SDH | epidural hematoma: EDH
"""
_HEART_MR = """
normal heart: NOR | previous myocardial infarction: MINF | dilated cardiomyopathy: DCM
hypertrophic cardiomyopathy: HCM | abnormal right ventricle: ARV
"""
_HEART_US = """
mitral regurgitation: MR | aortic stenosis: AS | aortic regurgitation: AR | tricuspid regurgitation: TR
mitral stenosis: MS | pericardial effusion
"""
_CYCLE = "end-diastole: ED; end diastolic | end-systole: ES; end systolic"
_KIDNEY = """
clear cell renal cell carcinoma: ccRCC; clear cell RCC; clear_cell_rcc
papillary renal cell carcinoma: pRCC; papillary RCC; papillary_rcc
chromophobe renal cell carcinoma: chRCC; chromophobe RCC | oncocytoma: renal oncocytoma
angiomyolipoma: AML; renal angiomyolipoma | renal cyst: kidney cyst | kidney tumor: renal tumor
"""
_TEETH = """
caries: dental caries | deep caries | impacted tooth: impacted | periapical lesion: periapical lesions
"""
_THYROID = "thyroid nodule: thyroid nodules | benign | malignant"
_FETUS = """
fetal brain | fetal femur | fetal abdomen | fetal thorax | maternal cervix | other
transthalamic: trans-thalamic; transthalamic plane | transcerebellar: trans-cerebellum; transcerebellar plane
transventricular: trans-ventricular; trans-ventricular plane
"""
_BRAIN_BODY, _BOWEL_BODY = "brain, head", "colon, stomach, esophagus, small bowel, gastrointestinal tract"
_TRACT = f"{_BOWEL_BODY}, upper gastrointestinal tract, lower gastrointestinal tract"
_ANY = """
normal | abnormal | benign | malignant
"""
_STATE = """
present: yes; not absent | absent: no; not present | uncertain: equivocal
"""

TABLES: tuple[Table, ...] = (
    table("breast", SEEN, _BREAST, BOTH, "US, MG, MR", "breast"),
    table("BI-RADS", "severity, label, finding", _BIRADS, modalities="US, MG, MR", body_parts="breast"),
    table("TI-RADS", "severity, label, finding", _TIRADS, modalities="US", body_parts="thyroid"),
    table("landmarks of the bowel", "label", _LANDMARK, ("about",), "ES", _TRACT),
    table("bowel", SEEN, _BOWEL, BOTH, "ES", _TRACT),
    table("slides of the colon", SEEN, _COLON, BOTH, "SM", "colon"),
    table("slides", SEEN, _SLIDES, BOTH, "SM"),
    table("brain", SEEN, _BRAIN, BOTH, "MR, CT", _BRAIN_BODY),
    table("heart in MR", SEEN, _HEART_MR, BOTH, "MR", "heart"),
    table("heart in ultrasound", "finding, diagnosis", _HEART_US, BOTH, "US", "heart"),
    table("phase of the heart", "label", _CYCLE, modalities="US, MR", body_parts="heart", abouts="cardiac phase"),
    table("kidney", SEEN, _KIDNEY, BOTH, "CT, MR", "kidney, abdomen"),
    table("teeth", SEEN, _TEETH, BOTH, "PX, IO", "teeth"),
    table("thyroid", SEEN, _THYROID, BOTH, "US", "thyroid"),
    table("planes of a fetus", "label", _FETUS, modalities="US", body_parts="fetus, cervix"),
    table("whole record", "label, diagnosis", _ANY),
    table("presence", "finding", _STATE, abouts=ANY),
)
