"""What is seen in the chest: radiographs (NIH, CheXpert, MIMIC, VinDr, PadChest, Indiana), CT (CT-RATE), ultrasound.

`effusion` is pleural here and nowhere else, and `edema` is the lung's on a radiograph. Kept apart, because they are not
the same: `normal` (a study without anything to report) and `no finding` (none of a list), `nodule`, `mass` and
`nodule or mass`, `hernia` and `hiatal hernia`, `lung opacity` and `opacity`, `support devices` and `medical material`.
"""

from __future__ import annotations

from manifests.terms.table import Table, table
from manifests.terms.uses import BOTH, SEEN

_BODY = "chest, lung"

_FINDINGS = """
no finding: no findings; no significant finding; nothing found
enlarged cardiomediastinum: enlarged cardiomediastinal silhouette; widened cardiomediastinum
cardiomegaly: enlarged heart; heart enlargement
lung opacity: lung opacities; pulmonary opacity | opacity: opacities
lung lesion: pulmonary lesion | nodule or mass: nodule/mass; mass/nodule; nodule mass
nodule | lung nodule: pulmonary nodule; lung nodules; pulmonary nodules; multiple pulmonary nodules
mass | lung mass: pulmonary mass; lung masses | lung tumor: pulmonary tumor
lung cyst: pulmonary cyst | lung cavity: pulmonary cavity; cavitation
consolidation: consolidations; lung consolidation | pneumonia: pneumonias
atelectasis: atelectases; pulmonary atelectasis; lung atelectasis
pneumothorax: pneumothoraces | hydropneumothorax
pleural effusion: pleural effusions; pleural fluid | pericardial effusion
pleural thickening: thickened pleura | other pleural abnormality: pleural other
infiltrate: infiltration; infiltrates; lung infiltrate; pulmonary infiltrate
emphysema: pulmonary emphysema; lung emphysema | subcutaneous emphysema
pulmonary fibrosis: lung fibrosis | pulmonary fibrotic sequela: pulmonary fibrotic sequelae
interstitial lung disease: ILD | COPD: chronic obstructive pulmonary disease
hernia | hiatal hernia: hiatus hernia; hernia, hiatal
fracture: fractures; fractures, bone | rib fracture: rib fractures | clavicle fracture: fractured clavicle
support devices: support device | medical material: medical materials | medical device: medical devices
aortic enlargement: enlarged aorta; aorta enlargement | aortic elongation: elongated aorta
enlarged pulmonary artery: enlarged PA; pulmonary artery enlargement
mediastinal shift: shifted mediastinum | mediastinal enlargement: widened mediastinum; mediastinal widening
arterial wall calcification | coronary artery wall calcification | calcification: calcifications
lymphadenopathy: adenopathy; enlarged lymph nodes | mosaic attenuation pattern: mosaic attenuation
peribronchial thickening | bronchiectasis: bronchiectases
interlobular septal thickening: thickened interlobular septa
tuberculosis: TB; pulmonary tuberculosis; lung tuberculosis | COVID-19: covid; covid19; COVID 19 pneumonia
viral pneumonia | bacterial pneumonia | other disease: other diseases | other lesion: other lesions
costophrenic angle blunting: blunted costophrenic angle; blunting of the costophrenic angle
granuloma: granulomas | calcified granuloma: calcified granulomas | scar: cicatrix; scarring | volume loss
chronic changes | pulmonary congestion: lung congestion | pulmonary edema: lung edema
hemidiaphragm elevation: elevated hemidiaphragm | scoliosis | kyphosis | air bronchogram: air bronchograms
endotracheal tube: ETT | nasogastric tube: NSG tube; NG tube | chest tube: chest drain; chest drain tube
pacemaker: pacemakers | central venous catheter: CVC
"""
_RADIOGRAPH = "pulmonary edema: edema; oedema | pulmonary fibrosis: fibrosis"
_PLEURAL = "pleural effusion: effusion; effusions"
_ULTRASOUND = """
b-line: b-lines | a-line: a-lines | pleural line irregularity: pleural line irregularities; irregular pleural line
consolidation: consolidations | air bronchogram: air bronchograms | COVID-19: covid; covid19
viral pneumonia | bacterial pneumonia | pneumonia
"""

TABLES: tuple[Table, ...] = (
    table("chest", SEEN, _FINDINGS, BOTH, "DX, CT", _BODY),
    table("chest radiograph", SEEN, _RADIOGRAPH, BOTH, "DX", _BODY),
    table("pleura", SEEN, _PLEURAL, BOTH, "DX, CT, US", _BODY),
    table("lung ultrasound", SEEN, _ULTRASOUND, BOTH, "US", _BODY),
)
