"""Orders to a model inside what a source says (prompt injection): found in any of the forms in which they are hidden.

`order_in` reads a text, `orders_of` all that a record says: text, questions, answers, facts, labels of masks, and these
together, for an order may be split over fields. A text is read as it is, and in each of its normal forms: NFKC, without
accents, zero-width and direction-changing characters; with look-alikes from Cyrillic, Greek and Cherokee as the Latin
letters that they stand for; digits and signs as the letters that they replace (leetspeak); letters that stand apart put
together; backwards; rot13; and what base64, hexadecimal and percent encoding hold, each once.

Covered: orders to forget, to play, to write or leak something, to answer in a certain way, fake system prompts, chat
templates, tool calls and answers, in English; to forget and to answer in Chinese, Japanese, Korean, German, Spanish,
Portuguese, French, Italian, Dutch, Russian, Turkish, Hindi and Arabic. Not covered: other languages, poetry and other
ways round, statements that are only false. Time is linear in the length of the text.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from manifests.record import Record, parts_of

# An order stands at the beginning of what is said, or behind a word that calls for one.
_START = (
    r"(?:(?:\A|[.;:,!?\n\"'`*#>|\-)(\[{}\]=/&])\s*|\b(?:and|then|please|pls|instead|just|must|should now|will now"
    r"|to you|now|kindly|simply|always|only|ai|model|assistant|llm|instructions?|task|so|do)\b[,:]?\s+)"
)
_TEXT = r"(?:instructions?|prompts?|directives?|commands?|system messages?|guidelines?|orders)"
_WRITE = (
    r"(?:answer|reply|respond|output|print|say|repeat|return|write|emit|state|type|echo"
    r"|append|insert|include|add|mention)"
)
_MODEL = r"(?:ai|a\.i\.|llms?|vlms?|language models?|(?:vision|large|chat|ai)[ -]?(?:language )?models?|assistants?|chat ?bots?|bots?|annotators?|captioners?|chatgpt|gpt\S*|claude|gemini|model)"  # noqa: E501
_ENGLISH = (
    (
        rf"{_START}(?:ignore|disregard|forget|override|bypass|pay no (?:attention|heed) to"
        r"|(?:do not|don't|stop|never) (?:follow|following|obey|obeying|use|read|look at))\b[^.\n]{0,60}?"
        rf"\b(?:{_TEXT}|(?:all|everything|anything|what(?:ever)?|text|the)\b[^.\n]{{0,30}}\b(?:above|before|previous(?:ly)?|prior|so far|earlier)\b"  # noqa: E501
        r"|previous|prior|above|earlier|rules|images?|pictures?|scans?|photos?|facts|checks?|schema|sources?)\b"
    ),
    rf"\b(?:ignore|disregard|override|bypass)\s+(?:all |any |every |the |your |these |my |of )*(?:previous|prior|above|earlier|preceding|foregoing|initial|original|system)\s+(?:\w+\s+)?{_TEXT}",  # noqa: E501
    rf"\b(?:ignore|disregard|override|bypass)\s+(?:all|any|every|your)\s+(?:of\s+)?(?:the\s+|your\s+)?{_TEXT}",
    r"\byou are (?:now|no longer|henceforth|hereby)\s+(?:an? |the |in |bound|free)?[^.\n]{0,30}?\b(?:ai|assistant|model|bot|robot|machine|dan|parrot|printer|pirate|poet|system|mode|bound|free|radiologist|doctor|annotator|narrator)\b",  # noqa: E501
    rf"\bfrom now on,? you\b|\b(?:pretend|imagine) (?:that )?(?:to be|you are|you're)\b|\brole[ -]?play(?:ing)? (?:as|game:)|{_START}act as (?:if|though|an? )?[^.\n]{{0,30}}?\b(?:{_MODEL}|parrot|printer|dan|unfiltered|radiologist|system|terminal)\b",  # noqa: E501
    r"\b(?:system|developer|admin(?:istrator)?|root|debug|maintenance|god|dan) (?:prompt|message|mode|override|instructions?)\b|\bjail ?break\b|\bprompt injection\b",  # noqa: E501
    r"\b(?:new|updated|real|actual|hidden|true|revised|additional|secret|urgent|important) (?:instructions?|tasks?|orders|directives?|system prompt|prompt)\s*(?::|for (?:the )?(?:ai|model|assistant)|begins?|follows?)",  # noqa: E501
    rf"{_START}{_WRITE}\s+(?:(?:with|back)\s+)?(?:only|just|exactly|verbatim|nothing but|literally|the following|the exact|the (?:secret|magic|code|pass)[ -]?(?:word|phrase|code|token)?)\b",  # noqa: E501
    rf"{_START}{_WRITE}\b[^.\n]{{0,80}}?\b(?:verbatim|word for word|and nothing else|nothing more|exactly|in (?:your|the|every|each|all) (?:answers?|captions?|repl(?:y|ies)|responses?|outputs?|reasoning|sentences?|questions?)|(?:at|to) the (?:end|beginning|start) of (?:your|the|every|each)|as (?:the|your|an?) (?:final |first |last )?(?:answer|caption|option|question|label|reply|word))\b",  # noqa: E501
    r"\b(?:your|the|every|each|any) (?:answer|caption|reply|response|output|reasoning|next sentence|questions?) (?:must|should|shall|has to|will|needs? to) (?:now |only |always |just |also )?(?:be|contain|include|end|begin|start|say|read|have|hold|state|mention)\b",  # noqa: E501
    rf"\b(?:reveal|print|show|repeat|output|leak|display|disclose|dump|recite|translate|summari[sz]e|tell (?:me|us)|write (?:out|down)|give (?:me|us))\b[^.\n]{{0,40}}?\b(?:your|system|initial|hidden|original|developer|the above|these) (?:system )?(?:{_TEXT}|rules|configuration)\b",  # noqa: E501
    rf"\b(?:dear|attention|hey|hello|note (?:to|for)|message (?:to|for)|notice (?:to|for)|(?:if|when|since|because) you (?:are|'re)|to (?:the|any|all)|for (?:the|any|all)|instructions? (?:to|for))\s+(?:the |all |any |every |an? |reading )*{_MODEL}\b[^.\n]{{0,60}}?(?:[:,!]|\b(?:please|must|should|reading|say|write|print|answer|reply|add|include|ignore|output)\b)",  # noqa: E501
    r"\bas (?:an? )?(?:ai|llm|(?:large )?language model|ai (?:assistant|model)),? (?:you|i)\b",
    r"<\|[a-z_ ]{1,40}\|?>|\|(?:im[ _]start|im[ _]end|eot[ _]id|endoftext|user|assistant|system|(?:start|end)[ _]header[ _]id|begin[ _]of[ _]text)\||\[/? ?inst\]|<<? ?/?sys ?>>|<(?:start|end)[ _]of[ _]turn>|</?(?:system|assistant|instructions?|tool[ _]call|tool[ _]response|bos|eos|human)>|\[/?(?:system[ _]prompt|available[ _]tools|tool[ _]calls|tool[ _]results|gmask)\]|<｜",  # noqa: E501
    r"(?:^|\n)\s*#{2,4}\s*(?:system|assistant|instructions?|response|human|user|new task)\s*:?\s*\n?|(?:^|\n|\. )\s*(?:system|assistant|developer|human|user)\s*(?::|\]\s*:?)\s*\S",  # noqa: E501
    r"\{\s*[\\'\"]*(?:caption|captions|answer|answers|reasoning|question|verdict|result|role|content|steps|critique|tool|tool_call|function|instruction|system|wrong|turns|final|label|score|output|response)[\\'\"]*\s*:",
    rf"{_START}(?:do not|don't|never) (?:answer|describe|mention|caption|tell|report|say)\b[^.\n]{{0,60}}?\b(?:answer|write|say|print|output|instead|image|picture|user)\b",  # noqa: E501
    r"\b(?:say|write|state|report|answer|claim|describe|swap|change|replace|set|multiply|exchange|flip|turn)\b[^.\n]{0,50}?\b(?:instead of|rather than|no matter what|regardless of|whatever (?:the|is)|even if)\b[^.\n]{0,40}?\b(?:image|picture|facts?|question|scan|left|right|true|real|shown|asked|normal|measured)\b",  # noqa: E501
    r"\b(?:swap|exchange|flip|invert|multiply|double|falsify|change)\s+(?:all |the |every |each |any )*(?:left and right|right and left|sides?|lateralit\w+|sizes?|numbers?|volumes?|measurements?|values?|labels?|gold)\b(?: \w+){0,2} (?:in (?:your|the|every|each)|by (?:ten|10|two|2)|before|when you|and (?:write|say|answer|print|sign|report))",  # noqa: E501
    r"\b(?:give|assign|award|grant|return|set)\b[^.\n]{0,30}?\b(?:full|maximum|max|top|perfect|highest|the) (?:score|marks?|reward|rating|points?)\b|\breward\s*=\s*1\b|\bscore\s*=\s*1",  # noqa: E501
)
# ... and those that a source of questions and answers has of itself: they are orders beside a picture, in a report, a
# caption, a label or a header.
_OUT_OF_PLACE = (
    r"\bthe (?:only )?(?:correct|right|gold|true|expected|final|accepted|verified) (?:answer|label|option|choice|letter|caption|response)\s*(?:is|:|=|to\b[^.\n]{0,60}\bis)",  # noqa: E501
    rf"{_START}(?:answer|reply|respond|say|choose|select|pick|mark|output|print|write|caption)\b[^.\n]{{0,24}}?(?:\b(?:yes|no|true|false|correct|option|choice|letter)\b(?! or)|\b[a-e]\b(?=[.,;!\"']|\s*\Z))",  # noqa: E501
    r"\b(?:print|output|repeat|echo|reply with|respond with|answer with|copy)\s+(?:the |this |that |my |its |following )*(?:word|text|string|phrase|token|code|marker|label|value|name|title|field|it)\b",  # noqa: E501
    r"\b(?:secret|magic|code|pass)[ -]?(?:word|phrase|token)s? (?:is|:|=)",
    rf"\b{_MODEL}\s*[:,!]\s*(?:please |now |you must )?(?:{_WRITE}|describe|ignore|forget)\b",
)
_FOREIGN = (
    r"(?:忽略|无视|無視|忘记|忘掉|不要理会|别管|请勿遵循|不要遵守|忽視)[^。\n]{0,16}?(?:指令|指示|提示|说明|要求|规则|命令|以上|上面|之前|前面|先前|图像|图片|影像|内容)",
    r"(?:你现在是|从现在起|从现在开始|系统提示|新的?指令|新任务|扮演)|(?:只|仅|必须|请|直接)(?:需|能|要)?(?:输出|回答|回复|写|说|打印|重复)[^。\n]{0,24}?(?:[a-z0-9]{3,}|是|否|一词|字样|单词)",
    r"(?:以前|これまで|上記|前)[^。\n]{0,8}(?:指示|命令)[^。\n]{0,4}(?:無視|忘れ)|(?:이전|앞의|위의)[^.\n]{0,12}(?:지시|명령)[^.\n]{0,6}(?:무시|잊)",
    r"\b(?:ignorieren? sie|ignoriere|vergiss|vergessen sie|missachten? sie|missachte|befolgen? (?:sie )?nicht)\b[^.\n]{0,50}?\b(?:anweisung\w*|instruktion\w*|vorgabe\w*|prompts?|regeln?|bild\w*|befehle?|vorherige\w*|obige\w*|oben)\b",  # noqa: E501
    r"\b(?:du bist|sie sind) (?:jetzt|nun|ab jetzt)\b|\bab jetzt (?:bist|antwortest|schreibst)\b|\b(?:antworte|antworten sie|schreibe?|schreiben sie|sage?|gib|geben sie)\b[^.\n]{0,30}?\b(?:nur|genau|ausschliesslich|stattdessen|immer)\b",  # noqa: E501
    r"\b(?:ignor[ae]|ignoren|olvid[ae]|omite|haz caso omiso)\b[^.\n]{0,50}?\b(?:instruccion\w*|indicacion\w*|ordenes|reglas|anteriores|imagen)\b|\b(?:ahora eres|a partir de ahora)\b|\b(?:responde|escribe|di|contesta|imprime|repite)\s+(?:solo|solamente|unicamente|exactamente|siempre)\b",  # noqa: E501
    r"\b(?:ignore[zr]?|oublie[zr]?)\b[^.\n]{0,50}?\b(?:consignes?|precedentes?|regles|directives|ci-dessus)\b|\b(?:tu es|vous etes) (?:maintenant|desormais)\b|\b(?:repond[sez]*|ecri(?:s|vez)|dis|dites)\s+(?:seulement|uniquement|exactement|toujours)\b",  # noqa: E501
    r"\b(?:ignor[aei]|dimentica|esquec[ae]|desconsidere)\b[^.\n]{0,50}?\b(?:istruzioni|instrucoes|precedenti|anteriores|regras|immagine|imagem)\b|\b(?:rispondi|responda|escreva|scrivi)\s+(?:solo|soltanto|apenas|somente|sempre|exatamente)\b",
    r"\b(?:negeer|vergeet)\b[^.\n]{0,40}?\b(?:instructies|opdrachten|vorige|bovenstaande)\b|(?:игнорируй|забудь|не обращаи внимания)\w*[^.\n]{0,40}?(?:инструкц|указани|правил|команд|изображени)|(?:отвечаи|ответь|напиши|выведи)\w*[^.\n]{0,20}?(?:только|ровно|всегда)",  # noqa: E501
    r"\b(?:talimat|komut)\w*[^.\n]{0,24}?\b(?:yok say|gormezden gel|unut)|(?:निर्देश|आदेश)\S*[^।\n]{0,24}?(?:अनदेखा|भूल)|(?:تجاهل|انس|اهمل)[^.\n]{0,40}?(?:التعليمات|الاوامر|السابقة|الصورة|القواعد)|(?:اكتب|اجب|قل|اطبع)\S*\s+(?:فقط|دائما|حرفيا)",  # noqa: E501
)
# For each pattern words of which one stands in all that it finds: to look for them first is what makes it fast.
_FORGET = "ignore disregard forget override bypass attention heed follow obey use read look"
_SAY = (
    "answer reply respond output print say repeat return write emit state type echo append insert include add mention"
)
_WORDS = (
    _FORGET, "ignore disregard override bypass", "ignore disregard override bypass", "you are",
    "from|now pretend imagine role act|as", "system developer admin root debug maintenance god dan jail injection",
    "instruction task order directive prompt", _SAY, _SAY, "your the every each any",
    "reveal print show repeat output leak display disclose dump recite translate summar tell write give",
    "dear attention hey hello note message notice you to for instruction", "as|a as|llm as|large as|language",
    "< | [ |", "## : ]", "{", "not don't never", "instead rather no|matter regardless whatever even|if",
    "swap exchange flip invert multiply double falsify change", "give assign award grant return set reward score",
)  # fmt: skip
_FOREIGN_WORDS = (
    "忽 无视 無視 忘 不要 别管 请勿",
    "你 从现在 系统 指令 任务 扮演 只 仅 必须 请 直接", "以前 これ 上記 前 이전 앞의 위의",
    "ignorier vergiss vergessen missacht befolg", "du|bist sie|sind jetzt antworte schreib sag gib geben",
    "ignor olvid omit caso ahora partir responde escribe di contesta imprime repite",
    "ignore oublie tu|es vous|etes repond ecri dis dites",
    "ignor dimentica esquec desconsidere rispondi responda escreva scrivi",
    "negeer vergeet игнор забудь обращ ответ отвеч напиш вывед", "talimat komut न आ ت ا ق",
)  # fmt: skip
_BESIDE_WORDS = (
    "correct right gold true expected final accepted verified",
    "answer reply respond say choose select pick mark output print write caption",
    "print output repeat echo reply respond answer copy", "secret magic code pass",
    "ai a.i. llm vlm model assistant bot annotator captioner gpt claude gemini",
)  # fmt: skip


def _compiled(patterns: tuple[str, ...], words: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    pairs = zip(patterns, words, strict=True)
    return tuple(
        (re.compile(p, re.IGNORECASE), tuple(w.replace("|", " ") if len(w) > 1 else w for w in some.split()))
        for p, some in pairs
    )


_ALWAYS = _compiled((*_ENGLISH, *_FOREIGN), (*_WORDS, *_FOREIGN_WORDS))
_BESIDE = _compiled(_OUT_OF_PLACE, _BESIDE_WORDS)


def _search(text: str, beside: bool) -> re.Match[str] | None:
    """The first match of the patterns whose words stand in the text."""
    lower = text.lower()
    patterns = (*_ALWAYS, *_BESIDE) if beside else _ALWAYS
    found = (p.search(text) for p, words in patterns if not words or any(w in lower for w in words))
    return min((m for m in found if m is not None), key=lambda m: m.start(), default=None)


# The same without spaces: letters that stood apart.
_TOGETHER = re.compile(
    r"(?:ignore|disregard|forget|override)(?:all|any|the|your|of|these|my)*(?:previous|prior|above|earlier|image|picture|instructions|prompt|rules)"
    r"|(?:print|output|say|write|reply|respond|answer)(?:with|only|just|exactly)*(?:only|exactly|theword)|systemprompt|youarenow|newinstructions",
    re.IGNORECASE,
)
_LIKE = dict(
    zip(
        "аАвВеЕкКмМнНоОрРсСтТуУхХіІјЈѕЅԁԛԝһӀɡαΑβΒεΕικΙΚνΝοΟρΡτΤυΥχΧΜΗΖζηɑıℓᎪᏴᏟᎠᎬᎻᏦᏞᎷᎾᏢᏚᎢᏙᎳᏃ",
        "aAbBeEkKmMhHoOpPcCtTyYxXiIjJsSdqwhIgaAbBeEikIKvNoOpPtTuYxXMHZznailABCDEHKLMOPSTVWZ",
        strict=True,
    )
)
_LEET = str.maketrans("0134578@$|€", "oieastba" + "s" + "le")
_LEET_WORD = re.compile(r"[a-z]+[0134578@$|€!]+[a-z]|[0134578@$|€!]+[a-z]{2}", re.IGNORECASE)
_APART = re.compile(r"\b(?:[^\W_][ .\-_*|/+~]{1,3}){9,}[^\W_]\b")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"\b(?:[0-9a-fA-F]{2}[ :]?){16,}\b")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}|\+?\w){8,}")
_BACKWARDS = re.compile(r"\b(?:erongi|tnirp|tuptuo|drageris|snoitcurtsni|tegrof|rewsna|tpmorp)\b", re.IGNORECASE)
_TURNED = re.compile(r"\b(?:vtaber|cevag|bhgchg|qvfertneq|vafgehpgvbaf|sbetrg|nafjre|ercyl|cebzcg)\b", re.IGNORECASE)
LONGEST = 400_000  # characters that are read of one text


class Order(NamedTuple):
    """Where the first order begins, in characters of the text, and how it reads there in its normal form."""

    start: int
    said: str


@lru_cache(maxsize=512)
def order_in(text: str, beside: bool = False) -> Order | None:
    """The first order to a model in a text, or None. `beside`: the text is said of a picture (a report, a caption, a
    label), where nothing is an exercise."""
    text = text[:LONGEST]
    found = [order for order in _orders(text, beside) if order is not None]
    return min(found, default=None)


def _orders(text: str, beside: bool) -> Iterator[Order | None]:
    plain, places = _folded(text)
    yield _first(plain, places, beside)
    like = "".join(_LIKE.get(ch, ch) for ch in plain)
    if like != plain:
        yield _first(like, places, beside)
    if _LEET_WORD.search(like):
        yield _first(like.translate(_LEET).replace("!", "i"), places, beside)
    for run in _APART.finditer(like):
        together = re.sub(r"[\W_]+", "", run[0]).translate(_LEET)
        if _TOGETHER.search(together):
            yield Order(places[run.start()], together[:60])
    if _BACKWARDS.search(like):
        yield _whole(like[::-1], beside)
    if _TURNED.search(like):
        yield _whole(codecs.decode(like, "rot13"), beside)
    for start, hidden in _decoded(text):
        inner, _ = _folded(hidden)
        found = _search(inner, True)
        yield Order(start, found[0][:60]) if found else None


def _first(text: str, places: list[int], beside: bool) -> Order | None:
    first = _search(text, beside)
    return None if first is None else Order(places[first.start()], " ".join(first[0].split())[:60])


def _whole(text: str, beside: bool) -> Order | None:
    found = _search(text, beside)
    return None if found is None else Order(0, found[0][:60])


def _folded(text: str) -> tuple[str, list[int]]:
    """The text in NFKC without accents and without characters that are not seen, and where each character stood."""
    if text.isascii():
        return text, list(range(len(text) + 1))
    out, places = list[str](), list[int]()
    for place, ch in enumerate(text):
        for one in unicodedata.normalize("NFKD", ch) if ord(ch) > 127 else ch:
            kind = "" if ord(one) < 128 else unicodedata.category(one)
            if kind in ("Cf", "Mn", "Co", "Cn"):
                tag = chr(ord(one) - 0xE0000) if 0xE0020 <= ord(one) < 0xE007F else ""  # letters that nobody sees
                if not tag:
                    continue
                one = tag
            out.append(one)
            places.append(place)
    places.append(len(text))
    return "".join(out), places


def _decoded(text: str) -> Iterator[tuple[int, str]]:
    """What the encoded runs of a text hold, where that is a text."""
    for run in _ENCODED.finditer(text):
        data = run[0].rstrip("=")
        for cut in (len(data), len(data) - len(data) % 4):
            padded = data[:cut] + "=" * (-cut % 4)
            try:
                yield run.start(), base64.b64decode(padded.translate(str.maketrans("-_", "+/"))).decode()
            except (binascii.Error, ValueError):
                continue
    for run in _HEX.finditer(text):
        try:
            yield run.start(), bytes.fromhex(re.sub(r"[ :]", "", run[0])).decode()
        except ValueError:
            continue
    if "%" in text:
        for run in _PERCENT.finditer(text):
            if run[0].count("%") >= 3:
                yield run.start(), unquote(run[0])
    if "&#" in text or "\\u00" in text:
        spelt = re.sub(r"&#(x?)([0-9a-fA-F]{2,5});", lambda m: chr(int(m[2], 16 if m[1] else 10) % 0x110000), text)
        yield 0, re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), spelt)


def orders_of(record: Record) -> str:
    """Which of a record's fields gives an order to a model, with the beginning of it; "" where none does.

    Searched are the text, each question with its answer, options and explanation, each fact, each mask's label, and
    facts and words put together."""
    beside = record.kind != "text"
    asked = any(one.question.strip() for one in record.asked)
    fields = [("text", record.text, beside and not asked)]
    for number, one in enumerate(record.asked, start=1):
        fields.append((f"question {number}", "\n".join(filter(None, parts_of((one,)))), False))
    facts = [(f"{f.name} {f.origin}", f"{f.about} {f.value}".strip(), beside) for f in record.facts]
    labels = [(f"mask {n}", m.label, True) for n, m in enumerate(record.media) if m.label]
    parts = [part for _, part, _ in (*fields, *facts, *labels) if part]
    words = [f.value for f in record.facts if any(ch.isalpha() for ch in f.value)]
    joined = [("fields together", " ".join(words), beside), ("fields together", "".join(words), beside)]
    joined.append(("fields together", " ".join(parts), False))
    for name, said, strictly in (*fields, *facts, *labels, *joined):
        order = order_in(said.replace("_", " ") if "mask" in name else said, strictly) if said else None
        if order is not None:
            return f"{name}: {order.said!r}"
    return ""
