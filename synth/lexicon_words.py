"""The words themselves: anatomy, findings, what is part of what, what is a kind of what.

One entry is `canonical name: form, form`; entries stand on a line of their own or are parted by `|`; a line indented by
four blanks goes on. Where the first form is the canonical name, the name is left out. Forms are singular wherever the
plural is made with s or es. Chosen for what reports write, not for a hierarchy of all anatomy; eponyms are left out,
since they are names of people too.
"""

from __future__ import annotations

ANATOMY_WORDS = """
abdomen: abdomen, abdominal, belly, intra-abdominal, intraabdominal | pelvis: pelvis, pelvic, pelvises
chest: chest, thorax, thoracic, intrathoracic | hemithorax: hemithorax, hemi-thorax, hemithoraces
head: head, cranial, cephalic | neck: neck, cervical
brain: brain, cerebral, intracranial, cerebrum, encephalic, intracerebral | cerebellum: cerebellum, cerebellar
brainstem: brainstem, brain stem, pons, pontine, midbrain, medulla oblongata, mesencephalon
cerebellopontine angle: cerebellopontine angle, pontocerebellar angle, cerebellopontine
frontal lobe: frontal lobe, prefrontal | parietal lobe: parietal lobe, parietal
temporal lobe: temporal lobe, temporal | occipital lobe: occipital lobe, occipital
frontoparietal: frontoparietal, fronto-parietal | temporoparietal: temporoparietal, temporo-parietal
basal ganglia: basal ganglia, basal ganglion, caudate, putamen, globus pallidus, lentiform nucleus
thalamus: thalamus, thalamic, thalami | hypothalamus: hypothalamus, hypothalamic
corpus callosum | insula: insula, insular | cortex: cortex, cortical, cortices | gyrus: gyrus, gyri
sulcus: sulcus, sulci | pituitary: pituitary, hypophysis, sellar, suprasellar, sella turcica
pineal: pineal | meninges: meninges, meningeal, leptomeningeal, dura, dural, dura mater, arachnoid
falx | tentorium: tentorium, tentorial | cavernous sinus | skull: skull, calvarium, calvarial, skull base
gray matter: gray matter, grey matter, gm | white matter: white matter, wm, periventricular
ventricle: ventricle, ventricular, intraventricular | hippocampus: hippocampus, hippocampal, hippocampi
hemisphere: hemisphere, hemispheric | internal capsule | optic nerve | optic chiasm: optic chiasm, chiasm, chiasmatic
cranial nerve | posterior fossa | middle cranial fossa
liver: liver, hepatic, intrahepatic | bile duct: bile duct, biliary, biliary tree, choledochal, common bile duct
porta hepatis | spleen: spleen, splenic | kidney: kidney, renal, nephric, pelvicalyceal
renal pelvis | perinephric: perinephric, perirenal, pararenal | ureter: ureter, ureteral, ureteric
urethra: urethra, urethral | pancreas: pancreas, pancreatic, peripancreatic | pancreatic duct
pancreatic head | pancreatic tail | stomach: stomach, gastric | pylorus: pylorus, pyloric
gastric antrum: antrum, antral
gallbladder: gallbladder, gall bladder | adrenal: adrenal, adrenal gland, suprarenal, adrenal cortex
bladder: urinary bladder, bladder | prostate: prostate, prostatic | seminal vesicle
uterus: uterus, uterine, myometrium, myometrial, intrauterine | endometrium: endometrium, endometrial
cervix: cervix, cervix uteri | vagina: vagina, vaginal | ovary: ovary, ovarian, ovaries | adnexa: adnexa, adnexal
fallopian tube | placenta: placenta, placental | fetus: fetus, fetal, foetus, foetal
testis: testis, testicular, testes, testicle | scrotum: scrotum, scrotal | epididymis: epididymis, epididymal
penis: penis, penile | breast: breast, mammary | nipple | axilla: axilla, axillary, axillae
duodenum: duodenum, duodenal | jejunum: jejunum, jejunal | ileum: ileum, ileal, terminal ileum, ileocecal, ileocaecal
small bowel: small bowel, small intestine, small-intestinal | bowel: bowel, intestine, intestinal, gut
appendix: appendix, appendiceal | cecum: cecum, caecum, cecal, caecal | colon: colon, colonic, large bowel,
    large intestine, hepatic flexure, splenic flexure
sigmoid | rectum: rectum, rectal | anus: anus, anal, perianal
esophagus: esophagus, oesophagus, esophageal, oesophageal
peritoneum: peritoneum, peritoneal, intraperitoneal | retroperitoneum: retroperitoneum, retroperitoneal
mesentery: mesentery, mesenteric | omentum: omentum, omental | abdominal wall | inguinal: inguinal, groin
perineum: perineum, perineal | presacral
lung: lung, pulmonary, lobe | upper lobe: upper lobe, upper right lobe, upper left lobe
lower lobe: lower lobe, lower right lobe, lower left lobe | middle lobe: middle lobe, middle right lobe
lingula: lingula, lingular
lung apex: lung apex, apical lung | hilum: hilum, hilar, hila | perihilar | parenchyma: parenchyma, parenchymal
costophrenic angle: costophrenic angle, costophrenic, costophrenic sulcus | cardiophrenic angle: cardiophrenic
fissure | airway | retrocardiac: retrocardiac
pleura: pleura, pleural, subpleural, intrapleural | trachea: trachea, tracheal | carina: carina, carinal, subcarinal
bronchus: bronchus, bronchi, bronchial, bronchiole | alveolus: alveolus, alveolar, alveoli
heart: heart, cardiac | myocardium: myocardium, myocardial | atrium: atrium, atrial, atria | septum: septum, septal
interventricular septum | mitral valve: mitral valve, mitral | aortic valve
tricuspid valve: tricuspid valve, tricuspid
pulmonary valve | pericardium: pericardium, pericardial
coronary artery: coronary artery, coronary, coronary arteries | aorta: aorta, aortic | aortic arch | aortic root
vena cava: vena cava, caval, IVC, SVC | portal vein: portal vein, portal venous, portal
iliac vessel: iliac artery, iliac vein, iliac vena, iliac vessel | carotid | vertebral artery: vertebral artery,
    vertebral arteries, vertebrobasilar, basilar artery, basilar
middle cerebral artery | anterior cerebral artery | posterior cerebral artery | jugular: jugular, jugular vein
subclavian: subclavian, subclavian artery, subclavian vein | brachiocephalic: brachiocephalic, innominate
pulmonary artery: pulmonary artery, pulmonary arterial, pulmonary arteries, pulmonary trunk | pulmonary vein
renal artery: renal artery, renal arteries | renal vein | hepatic artery: hepatic artery, hepatic arteries
hepatic vein
splenic artery: splenic artery, splenic arteries | splenic vein | celiac: celiac, coeliac, celiac trunk
superior mesenteric artery: superior mesenteric artery, SMA | inferior mesenteric artery | mesenteric vein
femoral artery: femoral artery, femoral arteries | femoral vein | popliteal: popliteal, popliteal fossa
saphenous vein: saphenous vein, saphenous | azygos: azygos, azygos vein | artery: artery, arterial, arteries
vein: vein, venous | sinus of valsalva
mediastinum: mediastinum, mediastinal | thymus: thymus, thymic | diaphragm: diaphragm, diaphragmatic, subdiaphragmatic
hemidiaphragm: hemidiaphragm, hemi-diaphragm | lymph node: lymph node, nodal | thoracic duct
thyroid: thyroid, thyroid gland | parathyroid: parathyroid, parathyroid gland
salivary gland | parotid: parotid, parotid gland | submandibular: submandibular, submandibular gland | sublingual
spinal cord: spinal cord | conus medullaris: conus, conus medullaris | cauda equina | epidural: epidural, extradural
vertebra: vertebra, vertebrae, vertebral | spinal canal: spinal canal, central canal
intervertebral disc: intervertebral
    disc, intervertebral disk, intervertebral, disc space, disk space, disc, disk
facet joint | pedicle | lamina: lamina, laminae | spinous process | neural foramen: neural foramen, neural foramina,
    foramen, foramina, foraminal
spine: spine, spinal, lumbar, paraspinal, paravertebral, vertebral column, lumbosacral
cervical spine | thoracic spine | lumbar spine | sacrum: sacrum, sacral | coccyx: coccyx, coccygeal
sacroiliac joint: sacroiliac joint, sacroiliac | rib | sternum: sternum, sternal, retrosternal
costal cartilage: costal cartilage | clavicle: clavicle, clavicula, collarbone, clavicular | acromioclavicular joint:
    acromioclavicular joint, acromioclavicular
scapula: scapula, scapular | acromion: acromion, acromial | glenoid | rotator cuff | supraspinatus
humerus: humerus, humeral | radius: radius | ulna: ulna, ulnar | carpus: carpus, carpal, scaphoid, lunate
metacarpal | metatarsal | finger | thumb | phalanx: phalanx, phalanges, phalangeal | toe
femur: femur, femoral | femoral head | femoral neck | hip: hip | acetabulum: acetabulum, acetabular | ilium: ilium
ischium: ischium, ischial | pubis: pubis, pubic, pubic symphysis | knee: knee | patella: patella, patellar
meniscus: meniscus, meniscal, menisci | anterior cruciate ligament: anterior cruciate ligament, ACL
posterior cruciate ligament: posterior cruciate ligament, PCL | collateral ligament | ligament: ligament, ligamentous
tendon: tendon, tendinous | achilles tendon: achilles tendon, achilles | muscle: muscle, muscular, intramuscular
ankle: ankle | talus: talus, talar | calcaneus: calcaneus, calcaneal | foot: foot, feet | hand: hand
wrist: wrist | elbow: elbow | shoulder: shoulder, glenohumeral | arm: arm, upper extremity, upper limb | forearm
leg: leg, lower extremity, lower limb | thigh | calf: calf, calves | tibia: tibia, tibial | fibula: fibula, fibular
bone: bone, bony, osseous | bone marrow | cartilage: cartilage, cartilaginous | joint: joint, articular, intra-articular
buttock | gluteus: gluteus, gluteal, gluteus maximus, gluteus medius, gluteus minimus | iliopsoas: iliopsoas, psoas
autochthon: autochthon, erector spinae | eye: eye, ocular, eyeball, globe | orbit: orbit, orbital, intraorbital
retina: retina, retinal, fundus | macula: macula, macular, fovea | cornea: cornea, corneal | lens: crystalline lens
vitreous | conjunctiva: conjunctiva, conjunctival | eyelid | lacrimal gland: lacrimal, lacrimal gland
optic disc: optic disc, optic disk, optic nerve head | ear: ear, auricular | mastoid: mastoid, mastoid air cell
middle ear | inner ear | cochlea: cochlea, cochlear | internal auditory canal: internal auditory canal, auditory canal
skin: skin, cutaneous, subcutaneous, epidermis, epidermal, dermis, dermal | soft tissue: soft tissue, soft-tissue
scalp | torso: torso, trunk | flank | umbilicus: umbilicus, umbilical | face: face, facial
tongue: tongue, lingual | tooth: tooth, teeth, dental, molar, premolar, incisor, canine
gingiva: gingiva, gingival, gum
palate: palate, palatal | lip | mouth: mouth, oral cavity, oral | tonsil: tonsil, tonsillar | throat
jaw: jaw, mandible, maxilla, mandibular, maxillary | temporomandibular joint: temporomandibular joint, temporomandibular
zygoma: zygoma, zygomatic | nose: nose, nasal | nasal cavity | nasal septum
sinus: sinus, sinuses, paranasal sinus, paranasal | maxillary sinus | frontal sinus | sphenoid sinus: sphenoid sinus,
    sphenoid | ethmoid: ethmoid, ethmoid sinus
larynx: larynx, laryngeal, vocal cord, glottis, glottic | epiglottis: epiglottis, epiglottic
pharynx: pharynx, pharyngeal, oropharynx, oropharyngeal, hypopharynx, hypopharyngeal, parapharyngeal
nasopharynx: nasopharynx, nasopharyngeal | blood vessel
right upper quadrant: right upper quadrant, RUQ | left upper quadrant: left upper quadrant, LUQ
right lower quadrant: right lower quadrant, RLQ | left lower quadrant: left lower quadrant, LLQ | epigastrium:
    epigastrium, epigastric
"""
FINDING_WORDS = """
effusion | pneumonia: pneumonia, bronchopneumonia | pneumothorax: pneumothorax, pneumothoraces | consolidation:
    consolidation, consolidated, consolidative
atelectasis: atelectasis, atelectatic, collapsed lung, lung collapse
edema: edema, oedema, edematous, oedematous | opacity: opacity, opacities, opacification, opacified
ground-glass: ground-glass, ground glass, GGO | infiltrate: infiltrate, infiltration, infiltrative, infiltrating
nodule: nodule, nodular, nodularity, micronodule | mass: mass, masses | lesion: lesion
tumor: tumor, tumour, neoplasm, neoplastic, tumoral, tumoural | cancer: cancer, carcinoma, malignancy, malignant,
    adenocarcinoma, malignancies, cancerous
benign: benign | sarcoma: sarcoma | metastasis: metastasis, metastases, metastatic, carcinomatosis
melanoma: melanoma | nevus: nevus, naevus, nevi, naevi, mole | keratosis: keratosis, keratoses | cyst: cyst, cystic,
    pseudocyst, multicystic, polycystic
abscess: abscess, abscessed | polyp: polyp, polypoid, polyposis | ulcer: ulcer, ulceration, ulcerated, ulcerative
erosion: erosion, erosive, eroded | bleeding: bleeding, hemorrhage, haemorrhage, hematoma, haematoma, hemorrhagic,
    haemorrhagic, extravasation, microbleed
infarct: infarct, infarction, infarcted, ischemia, ischemic, ischaemia, ischaemic, stroke
necrosis: necrosis, necrotic, necrotizing, necrotising, osteonecrosis, gangrene, gangrenous
fracture: fracture, fractured
dislocation: dislocation, dislocated | subluxation: subluxation, subluxed | displacement: displacement, displaced
sprain | strain: muscle strain | contusion: contusion | laceration: laceration, lacerated
rupture: rupture, ruptured | tear: tear, torn | avulsion: avulsion, avulsed | injury: injury, injuries, trauma
aneurysm: aneurysm, aneurysmal, pseudoaneurysm | dissection: dissection, intimal flap
stenosis: stenosis, stenotic, stenoses, narrowing, narrowed | stricture | occlusion: occlusion, occluded
obstruction: obstruction, obstructed, obstructing, obstructive, ileus
thrombus: thrombus, thrombosis, thrombosed, thrombi, thrombotic, blood clot, clot
embolism: embolism, embolus, emboli, embolic, thromboembolism | atherosclerosis: atherosclerosis, atherosclerotic,
    arteriosclerosis, atheroma, atheromatous
plaque | calcification: calcification, calcified
stone: stone, calculus, calculi, lithiasis, gallstone, cholelithiasis,
    nephrolithiasis, urolithiasis, renal stone
sludge | cardiomegaly: cardiomegaly, enlarged heart | enlargement: enlargement, enlarged
hepatomegaly: hepatomegaly, enlarged liver | splenomegaly: splenomegaly, enlarged spleen
hepatosplenomegaly | dilatation: dilatation, dilated, dilation, distention, distended, distension, ectasia, ectatic
hernia: hernia, herniation, herniated, hernial | hydrocephalus: hydrocephalus, ventriculomegaly
hydronephrosis: hydronephrosis, hydroureteronephrosis, hydronephrotic | hydroureter: hydroureter, megaureter
cirrhosis: cirrhosis, cirrhotic | steatosis: steatosis, fatty liver, steatotic, fatty infiltration
fibrosis: fibrosis, fibrotic | scar: scar, scarring, scarred, cicatricial | adhesion
emphysema: emphysema, emphysematous | bulla: bulla, bullae, bullous, bleb
bronchiectasis: bronchiectasis, bronchiectatic
air trapping | hyperinflation: hyperinflation, hyperinflated, hyperexpansion, hyperexpanded | asthma
COPD: COPD, chronic obstructive pulmonary disease | cavity: cavitation, cavitary, cavitating, cavitated
honeycombing: honeycombing, honeycomb | tree-in-bud: tree-in-bud | air bronchogram | reticulation: reticulation,
    reticular, reticulonodular, interstitial marking
interstitial disease: interstitial lung disease, interstitial disease, interstitial thickening
pneumomediastinum | pneumoperitoneum: pneumoperitoneum, free air, free gas, intraperitoneal air
pneumatosis: pneumatosis | pneumobilia | ascites: ascites, ascitic, free fluid | fluid collection: fluid collection,
    collection, loculated fluid
hemothorax: hemothorax, haemothorax, hemopneumothorax | tamponade
congestion: congestion, congestive, vascular engorgement
cephalization | heart failure: heart failure, cardiac failure | pleural thickening
thickening: thickening, thickened, thickness increase | blunting: blunting, blunted
tuberculosis: tuberculosis, tuberculous, tubercular | covid: covid, covid-19, sars-cov-2, coronavirus
influenza | infection: infection, infectious, infected, sepsis, septic, superinfection
inflammation: inflammation, inflammatory, inflamed, phlegmon, phlegmonous | empyema | cellulitis
glioma: glioma, glioblastoma, astrocytoma, oligodendroglioma | lymphoma: lymphoma, lymphomatous
lymphadenopathy: lymphadenopathy, adenopathy, lymph node enlargement, enlarged lymph node
leukemia: leukemia, leukaemia, leukemic | myeloma | hemangioma: hemangioma, haemangioma, hemangiomata
adenoma: adenoma, adenomatous | lipoma: lipoma, lipomatous, lipomatosis | fibroid: fibroid, leiomyoma, myoma
teratoma: teratoma, dermoid, dermoid cyst | angiomyolipoma | hamartoma | granuloma: granuloma, granulomatous
scoliosis: scoliosis, scoliotic | kyphosis: kyphosis, kyphotic | lordosis | spondylolisthesis: spondylolisthesis,
    anterolisthesis, retrolisthesis
spondylosis: spondylosis, spondylotic, spondylolysis | disc protrusion: disc protrusion, disc bulge, bulging disc,
    disc herniation, disk herniation, slipped disc
degeneration: degeneration, degenerative, degenerated | osteophyte: osteophyte, osteophytosis, bone spur
osteoarthritis: osteoarthritis, arthritis, osteoarthrosis, arthritic
osteoporosis: osteoporosis, osteoporotic, osteopenia,
    demineralization, osteopenic
osteomyelitis | osteolysis: osteolysis, osteolytic, lytic, bone destruction, destruction
sclerosis: sclerosis, sclerotic
joint space narrowing | compression deformity: compression deformity, wedge deformity, wedging | deformity: deformity,
    deformities, deformed, malformation, malformed
malalignment: malalignment, misalignment, malrotation | nonunion: nonunion, malunion
diabetes: diabetes, diabetic | hypertension: hypertension, hypertensive | glaucoma: glaucoma, glaucomatous
cataract | retinopathy | retinal detachment: retinal detachment, detachment, detached | drusen
exudate: exudate, exudative
cotton wool spot | papilledema: papilledema, papilloedema, disc swelling | neovascularization: neovascularization,
    neovascularisation
cupping: cupping, cup-to-disc | macular degeneration | hyperpigmentation
pleural line | b-line: b-line, b line | a-line: a-line | c-line | lung sliding | white lung
midline shift: midline shift, shift, shifted, mass effect | deviation: deviation, deviated
enhancement: enhancement, enhancing, hyperenhancement, ring-enhancing, rim-enhancing
stranding: stranding, fat stranding | wall thickening | swelling: swelling, swollen | air-fluid level: air-fluid level,
    air fluid level
perforation: perforation, perforated | intussusception | volvulus | diverticulosis: diverticulosis, diverticulum,
    diverticula, diverticular, pseudodiverticulum
diverticulitis | appendicitis | cholecystitis | pancreatitis | colitis | gastritis | esophagitis | hepatitis
pyelonephritis | cystitis | varix: varix, varices, variceal, varicose | fistula: fistula, fistulae, fistulous, fistulas
sinus tract | foreign body: foreign body, foreign bodies | incarceration: incarceration, incarcerated, strangulation
malposition: malposition, malpositioned | regurgitation: regurgitation, insufficiency | hypertrophy: hypertrophy,
    hypertrophic, hypertrophied
atrophy: atrophy, atrophic, volume loss | demyelination: demyelination, demyelinating, multiple sclerosis
encephalomalacia | gliosis: gliosis, gliotic | leukoaraiosis: leukoaraiosis, small vessel disease, leukoencephalopathy
subarachnoid hemorrhage: subarachnoid hemorrhage, subarachnoid haemorrhage
subdural hematoma: subdural hematoma, subdural haematoma, subdural collection, subdural
meningioma | schwannoma: schwannoma, neurinoma | arteriovenous malformation: arteriovenous malformation, AVM
hypodensity: hypodense, hypodensity, hypoattenuating, hypoattenuation, radiolucent, radiolucency, lucency, lucent,
    low-density, low density, low attenuation, hypo-dense
hyperdensity: hyperdense, hyperdensity, hyperattenuating, hyperattenuation, radiopaque, radiopacity, radiodense,
    high-density, high density, high attenuation, radio-opaque
hypointensity: hypointense, hypointensity, hypo-intense, hypo-intensity, low signal
hyperintensity: hyperintense, hyperintensity, hyper-intense, hyper-intensity, high signal, hyperintensities
hypoechoic: hypoechoic, hypo-echoic, hypoechogenic, echo-poor | hyperechoic: hyperechoic, hyperechogenic, echogenic,
    hyper-echoic
anechoic: anechoic | shadowing: shadowing, acoustic shadow | hypervascularity: hypervascular, hypervascularity,
    hyperemia, hyperaemia
filling defect | defect | diffusion restriction: diffusion restriction, restricted diffusion
vasospasm | vasculitis | moyamoya | coarctation | patent ductus: patent ductus, patent ductus arteriosus
septal defect | cardiomyopathy | myocarditis | endocarditis | pericarditis | vegetation | hypokinesis: hypokinesis,
    hypokinesia, hypokinetic, akinesia, akinetic, dyskinesia
agenesis: agenesis, aplasia, aplastic, hypoplasia, hypoplastic | anomaly: anomaly, anomalies, anomalous
torsion: torsion, torsed | cryptorchidism: cryptorchidism, undescended testis | varicocele | hydrocele
endometriosis | pregnancy: pregnancy, pregnant, ectopic pregnancy | reflux | impaction: impaction, impacted
caries: caries, carious | resorption: root resorption, resorption | periapical lesion: periapical lesion,
    periapical radiolucency
dysplasia: dysplasia, dysplastic | metaplasia: metaplasia, metaplastic | hyperplasia: hyperplasia, hyperplastic
architectural distortion: architectural distortion, distortion | asymmetry: asymmetry, asymmetric, asymmetrical
microcalcification | spiculation: spiculation, spiculated | invasion: invasion, invading, invasive, invaded, encasement
eventration | pectus: pectus excavatum, pectus carinatum | situs inversus | dextrocardia
sarcoidosis: sarcoidosis, sarcoid | silicosis | asbestosis: asbestosis, asbestos | pneumoconiosis
pneumonitis | bronchitis | bronchiolitis | bronchopleural fistula | aspiration: aspiration pneumonia, aspiration
silhouette sign | coin lesion | aspergilloma: aspergilloma, mycetoma, fungus ball | toxoplasmosis
catheter: catheter, central line, central venous catheter | pacemaker: pacemaker, cardiac device, defibrillator
endotracheal tube | nasogastric tube | chest tube: chest tube, chest drain, thoracostomy tube | stent: stent, stented
prosthesis: prosthesis, prostheses, prosthetic, arthroplasty, implant | surgical clip
sternotomy wire: sternotomy wire,
    sternotomy
fever: fever, febrile | pain: pain, painful | headache | nausea | vomiting | cough: cough, coughing
dyspnea: dyspnea, dyspnoea, shortness of breath, breathlessness | wheezing: wheezing, wheeze | chills: chill
rash | allergy: allergy, allergies, allergic | seizure: seizure, convulsion, epilepsy, epileptic | syncope
dizziness: dizziness, dizzy, vertigo | diarrhea: diarrhea, diarrhoea | constipation
jaundice: jaundice, icterus, icteric
anemia: anemia, anaemia, anemic | hypoxia: hypoxia, hypoxic, hypoxemia | palpitation | weakness | numbness | fatigue
paralysis: paralysis, paralysed, paralyzed | tenderness: tenderness, tender | itching: itching, itchy, pruritus
weight loss | obesity: obesity, obese | goiter: goiter, goitre | gout: gout, gouty, tophus, tophi | bezoar | callus
impingement: impingement, impinging, impinged | compression: compression, compressed, compressing | entrapment
bulging: bulging, bulge | prolapse: prolapse, prolapsed | crater | sequestrum
involucrum | periosteal reaction | cleft: cleft palate, cleft lip
exostosis: exostosis, exostoses, osteochondroma | enchondroma | chondrosarcoma | ameloblastoma | keratocyst
bursitis | tendinopathy: tendinopathy, tendinosis | tenosynovitis | synovitis | ankylosis: ankylosis, ankylosed
spur: spur, spurring | chondrocalcinosis | chondromalacia | claudication | gangrene | shunt: shunt, shunting
endoleak | kinking | tortuosity: tortuosity, tortuous | web | ectopia: ectopia, ectopic | duplication | horseshoe kidney
nephrocalcinosis | scald: scald, burn injury | wound: wound, ulcerated wound | blister: blister, vesicle
wart: wart, verruca | eczema | psoriasis | acne | vitiligo | erythema: erythema, erythematous, redness
urticaria: urticaria, hives
petechia: petechia, petechiae, purpura | bruise: bruise, bruising, ecchymosis
anal fissure | strabismus | nystagmus | myopia: myopia, myopic | amblyopia | hypopyon | hyphema | floaters: floater
malaria | syphilis | leprosy | echinococcosis: echinococcosis, hydatid, hydatid cyst | cysticercosis
schistosomiasis | candidiasis | histoplasmosis | mucormycosis | HIV: HIV, AIDS | measles | mumps | rubella
herpes: herpes, herpetic
autism | dementia: dementia, demented | delirium | depression | anxiety | migraine | coma: coma, comatose | hemiparesis
stillbirth | miscarriage | eclampsia: eclampsia, preeclampsia | placenta previa | polyhydramnios | oligohydramnios
megacolon | toxic megacolon | achalasia | dysphagia | odynophagia | hiccup | gastroparesis
ileostomy: ileostomy, colostomy, stoma
hemorrhoid: hemorrhoid, haemorrhoid, piles | melena: melena, hematochezia
villous atrophy | crypt abscess | mitotic figure | hyaline membrane | amyloid: amyloid, amyloidosis
arrest: cardiac arrest | fibrillation: fibrillation, atrial fibrillation | flutter | tachycardia | bradycardia
heart block
murmur | bruit | gallop | rales: rale, crackle, rhonchi | stridor | apnea: apnea, apnoea
lymphocele | seroma | urinoma | biloma | pseudotumor: pseudotumor, pseudotumour | mucocele | ranula | cholesteatoma
dehiscence | evisceration | pellet: pellet, bullet, shrapnel | screw: screw, intramedullary nail, k-wire | graft
"""
# part ; part : the whole (one step; `wholes_of` climbs)
PART_OF_WORDS = """
liver; spleen; kidney; pancreas; stomach; gallbladder; adrenal; duodenum; colon; appendix; bowel: abdomen
jejunum; ileum: abdomen
small bowel; cecum; peritoneum; retroperitoneum; mesentery; omentum; abdominal wall; ureter; bile duct: abdomen
right upper quadrant; left upper quadrant; right lower quadrant; left lower quadrant; epigastrium; umbilicus: abdomen
porta hepatis; hepatic vein; hepatic artery: liver | pancreatic duct; pancreatic head; pancreatic tail: pancreas
renal pelvis; renal artery; renal vein; perinephric: kidney | gastric antrum; pylorus: stomach
splenic artery; splenic vein: spleen | sigmoid: colon
prostate; bladder; uterus; ovary; rectum; seminal vesicle; vagina; adnexa; anus; pubis; acetabulum; ilium: pelvis
ischium: pelvis | endometrium; cervix: uterus
lung; heart; pleura; mediastinum; trachea; bronchus; rib; sternum; hemithorax; diaphragm; axilla: chest
upper lobe; lower lobe; middle lobe; lingula; lung apex; hilum; perihilar; alveolus: lung
costophrenic angle: pleura | hemidiaphragm: diaphragm | carina: trachea | thymus; esophagus: mediastinum
atrium; myocardium; pericardium; coronary artery; mitral valve; aortic valve; tricuspid valve: heart
interventricular septum; pulmonary valve: heart | aortic arch; aortic root: aorta
brain; skull; face; eye; ear; nose; mouth; jaw; sinus; scalp: head
cerebellum; hippocampus; brainstem; frontal lobe; parietal lobe; temporal lobe; occipital lobe; frontoparietal: brain
temporoparietal; basal ganglia; thalamus; hypothalamus; corpus callosum; insula; pituitary; pineal; gyrus; sulcus: brain
white matter; gray matter; meninges; posterior fossa; hemisphere; internal capsule: brain
vertebra; sacrum; spinal cord; spinal canal; intervertebral disc; facet joint; coccyx: spine
cervical spine; thoracic spine; lumbar spine; neural foramen: spine | conus medullaris; cauda equina: spinal cord
retina; cornea; vitreous; optic disc; conjunctiva; eyelid; macula: eye | orbit; optic nerve: head
thyroid; larynx; parathyroid; pharynx: neck | nasopharynx: pharynx | epiglottis: larynx
maxillary sinus; frontal sinus; sphenoid sinus; ethmoid: sinus | tongue; tooth; palate; lip; gingiva; tonsil: mouth
patella; meniscus; anterior cruciate ligament; posterior cruciate ligament: knee
femoral head; femoral neck: femur | finger; thumb; metacarpal: hand | metatarsal; toe; calcaneus: foot
forearm; humerus: arm | thigh; tibia; fibula; calf: leg
"""
# kind ; kind : what it is a kind of
BROADER_WORDS = """
melanoma; sarcoma; lymphoma; glioma; leukemia; myeloma; metastasis: cancer
cancer; adenoma; lipoma; fibroid; hemangioma; teratoma; hamartoma; angiomyolipoma; meningioma; schwannoma: tumor
tumor; nevus; keratosis; nodule; mass; cyst; abscess; polyp; ulcer; periapical lesion; coin lesion: lesion
cardiomegaly; hepatomegaly; splenomegaly; lymphadenopathy; hepatosplenomegaly: enlargement
pneumonia; tuberculosis; covid; influenza: infection
subdural hematoma; subarachnoid hemorrhage; hemothorax: bleeding
pleural thickening; wall thickening: thickening | subluxation: displacement
microcalcification: calcification | consolidation: opacity
appendicitis; cholecystitis; pancreatitis; colitis; gastritis; esophagitis; pneumonitis; bronchitis: inflammation
disc protrusion: hernia
"""
