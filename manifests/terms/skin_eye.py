"""What is seen of skin (HAM10000, ISIC and its challenges, PAD-UFES) and in the eye (RFMiD, APTOS, OCT2017, OCTDL).

Abbreviations hold where their set uses them: `MH` is a media haze on a fundus photograph and a macular hole in OCT,
`ST` and `DF` mean something else everywhere else. Kept apart: `actinic keratosis` and `actinic keratosis or
intraepithelial carcinoma` (HAM10000's akiec), `seborrheic keratosis` and `benign keratosis-like lesion`.
"""

from __future__ import annotations

from manifests.terms.table import Table, table
from manifests.terms.uses import BOTH, SEEN

_SKIN = """
melanoma: MEL; melanoma, NOS; malignant melanoma | melanoma in situ: melanoma, in situ
invasive melanoma: melanoma invasive; melanoma, invasive
nevus: NV; NEV; nevi; melanocytic nevus; melanocytic nevi; mole
basal cell carcinoma: BCC; basal cell carcinoma, NOS | squamous cell carcinoma: SCC; squamous cell carcinoma, NOS
actinic keratosis: AK; ACK; actinic keratoses; solar keratosis; solar or actinic keratosis
actinic keratosis or intraepithelial carcinoma: AKIEC; actinic keratoses and intraepithelial carcinoma;
 actinic keratoses and intraepithelial carcinoma / Bowen's disease
benign keratosis-like lesion: BKL; benign keratosis; benign keratosis-like lesions; pigmented benign keratosis
seborrheic keratosis: SK; SEK; seborrheic keratoses | dermatofibroma: DF
vascular lesion: VASC; vascular lesions | solar lentigo: lentigo solaris | hemangioma: hemangiomas
lichen planus-like keratosis: LPLK | skin lesion: cutaneous lesion | benign | malignant | indeterminate
"""
_SITE = """
head and neck: head/neck | palms or soles: palms/soles | oral or genital: oral/genital
upper extremity: upper limb | lower extremity: lower limb
abdomen | acral | back | chest | ear | face | foot: feet | genital | hand: hands | neck | scalp | trunk | arm | forearm
thigh | nose | lip | anterior torso | posterior torso | lateral torso
"""
_EYE = """
diabetic retinopathy | age-related macular degeneration: AMD; ARMD; age related macular degeneration (AMD)
drusen | epiretinal membrane: ERM | choroidal neovascularization | macular hole | glaucoma | cataract
diabetic macular edema: diabetic macular edema (DME) | cystoid macular edema: CME
central serous retinopathy: CSR; CSC; central serous chorioretinopathy
retinal vein occlusion: RVO | retinal artery occlusion: RAO | pathological myopia: pathologic myopia
"""
_FUNDUS = """
media haze | myopia | branch retinal vein occlusion: BRVO | central retinal vein occlusion: CRVO | tessellation
laser scar: laser scars | macular scar: macular scars | optic disc cupping | optic disc pallor
optic disc edema: optic disk edema | tortuous vessels | asteroid hyalosis | optociliary shunt: optociliary shunts
anterior ischemic optic neuropathy: AION | parafoveal telangiectasia | retinal traction | retinitis | chorioretinitis
exudation | retinal pigment epithelium changes: RPE changes; RPEC | retinitis pigmentosa
cotton wool spot: cotton wool spots; CWS | coloboma | optic disc pit maculopathy: ODPM
preretinal hemorrhage: preretinal hemorrhages | myelinated nerve fibers: myelinated nerve fiber
hemorrhagic retinopathy | tilted disc: tilted disk | post-traumatic choroidal rupture
choroidal folds: choroidal fold | vitreous hemorrhage | macroaneurysm | vasculitis
central retinal artery occlusion: CRAO | branch retinal artery occlusion: BRAO | plaque
hemorrhagic pigment epithelial detachment | collateral vessels | normal | abnormal
"""
# As columns alone: among values `RT` may be a right eye.
_FUNDUS_COLUMNS = """
diabetic retinopathy: DR | media haze: MH | drusen: DN | myopia: MYA | tessellation: TSLN | laser scar: LS
macular scar: MS | optic disc cupping: ODC | tortuous vessels: TV | asteroid hyalosis: AH | optic disc pallor: ODP
optic disc edema: ODE | optociliary shunt: ST | parafoveal telangiectasia: PT | retinal traction: RT | retinitis: RS
chorioretinitis: CRS | exudation: EDN | macular hole: MHL | retinitis pigmentosa: RP | coloboma: CB
preretinal hemorrhage: PRH | myelinated nerve fibers: MNF | hemorrhagic retinopathy: HR | tilted disc: TD
post-traumatic choroidal rupture: PTCR | choroidal folds: CF | vitreous hemorrhage: VH | macroaneurysm: MCA
vasculitis: VS | plaque: PLQ | hemorrhagic pigment epithelial detachment: HPED | collateral vessels: CL
"""
_OCT = """
choroidal neovascularization: CNV | diabetic macular edema: DME | drusen: DRUSEN | macular hole: MH
vitreomacular interface disease: VID | diabetic retinopathy: DR | normal
"""
_GRADES = """
none: 0; no DR; no diabetic retinopathy; no apparent retinopathy; no apparent diabetic retinopathy
mild: 1; mild DR; mild NPDR; mild nonproliferative diabetic retinopathy; mild non-proliferative diabetic retinopathy
moderate: 2; moderate DR; moderate NPDR; moderate nonproliferative diabetic retinopathy;
 moderate non-proliferative diabetic retinopathy
severe: 3; severe DR; severe NPDR; severe nonproliferative diabetic retinopathy;
 severe non-proliferative diabetic retinopathy
proliferative: 4; PDR; proliferative DR; proliferative diabetic retinopathy; proliferate DR
"""
_BODY = "eye, retina"

TABLES: tuple[Table, ...] = (
    table("site of a skin lesion", "finding", _SITE, modalities="DMS, XC", body_parts="skin", abouts="site"),
    table("skin", SEEN, _SKIN, BOTH, "DMS, XC", "skin"),
    table("grade of diabetic retinopathy", "severity", _GRADES, modalities="OP", abouts="diabetic retinopathy"),
    table("fundus", SEEN, _FUNDUS, BOTH, "OP", _BODY),
    table("columns of a fundus photograph", SEEN, _FUNDUS_COLUMNS, ("about",), "OP", _BODY),
    table("retina in OCT", SEEN, _OCT, BOTH, "OPT", _BODY),
    table("retina", SEEN, _EYE, BOTH, "OP, OPT", _BODY),
)
