"""Words that headers, captions and anatomy use, makers of devices, and English words that are family names too."""

from __future__ import annotations

_WORDS = """
able abnormal about above acute adult after agfa also analysis anonymized anonymous anterior area arms army art artery
aug august autumn average away axial back baker ball banks barber base basic bath beam bell bend berg best bird bishop
black blood blue body bolus bone book born both bound bowel bowl brain branch bright brook brooks brown burn burns
bush butler cage cancer canon care carestream carpenter carter case cast castle cavity cell center central centre
chamber change chest child chronic church clark class clay clear clinic clinical close coast code cold cole colon
column comment common compressed contrast cook cooper coronal cortex count county course court cross crown curve data
date datum dcmtk deep default demo department description detail device diagnosis dicom digital disc disease display
doctor dose drake dual duct dummy early east edge effect elekta elscint empty english enhanced even exam examination
example exit extra face faculty fall false fast fat female fever field fields final fine first fish fisher flat flow
focal food foot ford forest form foster fowler fox frame france francis free french friend front frost fuji fujifilm
full function gamma gate ge general german gold good grade grant gray great green grey group grove guy hall hand hands
hard hart head health heart held helper high hill hips hitachi holder hologic home hope horn hospital house hunt
hunter image images imaging imatron index inner institute institution instrument iron island joint jordan july
junction june king knee knight known kodak konica label lake lane large last late lateral leak lean left legend length
lesion level life light limb limit line list little liver lobe local long lord loss love lower lumbar lung lungs
machine main major male march marconi marker marks marrow marsh masks mason mass master matter mean medcurate median
medical medicine member method middle mild mill miller mindray minor model moderate monitor moon more motion mouth
multi name narrow nasal neck nema nerve news nifti night node nodule noise none normal north note null object oblique
only open operator organ osirix other outer oval page pain palm paper park part parts patient patients peak pelvis
penny phantom phase philips physician picker pierce plan plane plate point pole pool poor pope port porter position
post posterior potter power price prior private probe procedure process prone protocol public pulse pydicom quality
question quick radiology random range rapid rate ratio ray read real record rectal reed reference region removed
report research rest result rice rich right ring rise road rock rose rows rule sagittal sale sample samsung save scan
scanner school scott screen sect segment sequence series service setup severe shape sharp shaw shimadzu short side
siemens signal simple single sinus site size skin skull slice slices slide slow small smith soft solid some source
south space spine spleen split spot spring stack stage standard star state station stem step steps still stomach stone
stop street strong structure study subject summer sunday supine surface sweet swift system systems table tailor target
task taylor teacher technique temple test text thick thin third thorax time tissue tone toshiba total towers track
train trial trigger true trunk tube turner type typical ulcer unit university unknown upper urban value varian varied
vein verifying very vessel view viewer vision voice volume walk walker wall ward warm waste water wave way weak weaver
weight well wells west white whole wide width wild wind window winter wise within wolf wood woods word work worker
world wrist year yellow young zero zone
"""
COMMON_WORDS = frozenset(_WORDS.split())
