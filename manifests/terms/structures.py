"""What masks mark: organs and lesions as TotalSegmentator, AMOS, BTCV, MSD, KiTS, BraTS and ACDC spell them.

Sides stand first (`kidney_left`, `left kidney`, `kidney left`: `left kidney`) and vertebrae are named by their level
(`vertebrae_L1`: `L1 vertebra`); `manifests.vocabulary` reads both. The left ventricle is `LV` where the heart is shown.
Kept apart: `necrotic tumor core` (BraTS) and `non-enhancing tumor core` (MSD), `hip` (the bone) and `femur`.
"""

from __future__ import annotations

from manifests.terms.table import Table, table
from manifests.terms.uses import BOTH

_NAMES = """
spleen | kidney: kidneys | gallbladder: gall bladder | esophagus | liver | stomach | pancreas | duodenum
aorta: arota | inferior vena cava: postcava; IVC | superior vena cava: SVC
portal and splenic veins: portal vein and splenic vein | adrenal gland: adrenal; suprarenal gland
adrenal glands: adrenals | bladder: urinary bladder | prostate | uterus | prostate or uterus: prostate/uterus
colon: large intestine | small bowel: small intestine | rectum | trachea | thyroid: thyroid gland | heart | lung
lungs | lung upper lobe: upper lobe of the lung | lung middle lobe: middle lobe of the lung
lung lower lobe: lower lobe of the lung | brain | skull | face | spinal cord | sacrum | sternum | rib
costal cartilages: costal cartilage | humerus | scapula | clavicle: clavicula | femur | hip: hip bone
femoral head: head of femur; femur head | gluteus maximus | gluteus medius | gluteus minimus
iliopsoas: iliopsoas muscle | autochthon | iliac artery | iliac vein: iliac vena | pulmonary vein | pulmonary artery
brachiocephalic trunk | brachiocephalic vein | subclavian artery | common carotid artery | atrial appendage
hepatic vessels: hepatic vessel; liver vessels | portal vein
atrium | ventricle | myocardium | hippocampus | anterior hippocampus | posterior hippocampus
prostate peripheral zone: peripheral zone of the prostate | prostate transition zone: transition zone of the prostate
liver tumor: hepatic tumor | kidney tumor: renal tumor | kidney cyst: renal cyst | lung tumor
pancreas tumor: pancreatic tumor | colon tumor | brain tumor | breast tumor | enhancing tumor
necrotic tumor core | non-enhancing tumor core | peritumoral edema | resection cavity
polyp: polyps | skin lesion | thyroid nodule | pneumothorax
retinal vessels: retinal vessel | optic disc: optic disk | optic cup
"""
_HEART = "left ventricle: LV | right ventricle: RV | left atrium: LA | right atrium: RA | myocardium: MYO"

TABLES: tuple[Table, ...] = (
    table("structures of the heart", "structure", _HEART, BOTH, body_parts="heart"),
    table("structures", "structure", _NAMES, BOTH),
)
