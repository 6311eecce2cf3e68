"""Text, and questions and answers: with and without media."""

from __future__ import annotations

from sources.base import SourceConfig
from sources.texts.general_reasoning import GeneralReasoning
from sources.texts.healthcaremagic import HealthCareMagic
from sources.texts.huatuo import Huatuo
from sources.texts.medical_reasoning import MedicalReasoning
from sources.texts.medmcqa import MedMcqa
from sources.texts.medqa import MedQa
from sources.texts.medquad import MedQuad
from sources.texts.mmlu_medical import MmluMedical
from sources.texts.mts_dialog import MtsDialog
from sources.texts.pmc_articles import PmcArticles
from sources.texts.pubmed_abstracts import PubMedAbstracts
from sources.texts.pubmedqa import PubMedQa

SOURCES: tuple[type[SourceConfig], ...] = (
    GeneralReasoning,
    HealthCareMagic,
    Huatuo,
    MedMcqa,
    MedQa,
    MedQuad,
    MedicalReasoning,
    MmluMedical,
    MtsDialog,
    PmcArticles,
    PubMedAbstracts,
    PubMedQa,
)
