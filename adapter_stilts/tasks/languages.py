"""Languages by their codes: ISO 639-1, ISO 639-3, and the other codes that data sets use for the same language.

    iso1("deu") == iso1("ger") == iso1("deu_Latn") == "de"      iso1("pes") == "fa"
    iso1("gsw") == "gsw", which has no short code
    same_language("cmn", "zh")                                  iso3("sw") == "swa", though Tatoeba says swh
    serves("zho_Hans", "zh"), and zh-Hant does not: a script is the language's usual one where a code does not say

A code nobody here knows is itself: a language that is not in these tables works like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from adapter_stilts.tasks.source import pairs

# ISO 639-1 and ISO 639-3, in pairs.
CODES = """
    aa aar  ab abk  ae ave  af afr  ak aka  am amh  an arg  ar ara  as asm  av ava  ay aym  az aze  ba bak  be bel
    bg bul  bi bis  bm bam  bn ben  bo bod  br bre  bs bos  ca cat  ce che  ch cha  co cos  cr cre  cs ces  cu chu
    cv chv  cy cym  da dan  de deu  dv div  dz dzo  ee ewe  el ell  en eng  eo epo  es spa  et est  eu eus  fa fas
    ff ful  fi fin  fj fij  fo fao  fr fra  fy fry  ga gle  gd gla  gl glg  gn grn  gu guj  gv glv  ha hau  he heb
    hi hin  ho hmo  hr hrv  ht hat  hu hun  hy hye  hz her  ia ina  id ind  ie ile  ig ibo  ii iii  ik ipk  io ido
    is isl  it ita  iu iku  ja jpn  jv jav  ka kat  kg kon  ki kik  kj kua  kk kaz  kl kal  km khm  kn kan  ko kor
    kr kau  ks kas  ku kur  kv kom  kw cor  ky kir  la lat  lb ltz  lg lug  li lim  ln lin  lo lao  lt lit  lu lub
    lv lav  mg mlg  mh mah  mi mri  mk mkd  ml mal  mn mon  mr mar  ms msa  mt mlt  my mya  na nau  nb nob  nd nde
    ne nep  ng ndo  nl nld  nn nno  no nor  nr nbl  nv nav  ny nya  oc oci  oj oji  om orm  or ori  os oss  pa pan
    pi pli  pl pol  ps pus  pt por  qu que  rm roh  rn run  ro ron  ru rus  rw kin  sa san  sc srd  sd snd  se sme
    sg sag  sh hbs  si sin  sk slk  sl slv  sm smo  sn sna  so som  sq sqi  sr srp  ss ssw  st sot  su sun  sv swe
    sw swa  ta tam  te tel  tg tgk  th tha  ti tir  tk tuk  tl tgl  tn tsn  to ton  tr tur  ts tso  tt tat  tw twi
    ty tah  ug uig  uk ukr  ur urd  uz uzb  ve ven  vi vie  vo vol  wa wln  wo wol  xh xho  yi yid  yo yor  za zha
    zh zho  zu zul
"""
# Other codes for languages above: individual languages that stand for their macro-language, ISO 639-2's bibliographic
# codes, old codes.
ALIASES = """
    cmn zh  pes fa  prs fa  swh sw  arb ar  ekk et  lvs lv  zsm ms  npi ne  ory or  azj az  uzn uz  khk mn  pbt ps
    als sq  ydd yi  kmr ku  plt mg  gaz om  quy qu  quz qu  gug gn  fil tl  ayr ay  fuv ff  knc kr  iw he  in id
    ji yi  jw jv  mo ro  ger de  fre fr  chi zh  per fa  cze cs  dut nl  gre el  ice is  mac mk  may ms  rum ro
    slo sk  wel cy  arm hy  baq eu  bur my  geo ka  alb sq  tib bo  mao mi  scr hr  scc sr
"""
# Languages that are not usually written in Latin letters; zh-TW and the like say a script by their region.
SCRIPTS = """
    Arab ar fa ks ps sd ug ur  Armn hy  Beng as bn  Cans cr iu  Cyrl ab av ba be bg ce cu cv kk kv ky mk mn os ru sr tg
    tt uk  Deva hi mr ne pi sa  Ethi am ti  Geor ka  Grek el  Gujr gu  Guru pa  Hang ko  Hans zh  Hebr he yi  Jpan ja
    Khmr km  Knda kn  Laoo lo  Mlym ml  Mymr my  Orya or  Sinh si  Taml ta  Telu te  Thaa dv  Thai th  Tibt bo dz
"""
SAME_SCRIPTS = {"Kore": "Hang", "Hrkt": "Jpan"}
OF_REGION = {"TW": "Hant", "HK": "Hant", "MO": "Hant"}
VARIANT = re.compile(r"[_-]")  # zho_Hans, pt_BR, zh-TW: the language stands before it

_script: dict[str, str] = {}
for _word in SCRIPTS.split():
    if _word[0].isupper():
        _written = _word
    else:
        _script[_word] = _written
_to_three = pairs(CODES)
_to_two = {three: two for two, three in _to_three.items()} | pairs(ALIASES)


def iso1(code: str) -> str:
    """The two-letter code, or the code itself, in lower case and without script or region, where there is none."""
    base = VARIANT.split(code.strip().lower())[0].strip()
    return _to_two.get(base, base)


def iso3(code: str) -> str:
    short = iso1(code)
    return _to_three.get(short, short)


def is_known(code: str) -> bool:
    """Whether the code stands in these tables; a code that does not may still be a language."""
    return iso1(code) in _to_three


def has_variant(code: str) -> bool:
    """Whether a code names a script or a region too."""
    return VARIANT.search(code) is not None


def same_language(first: str, second: str) -> bool:
    return iso1(first) == iso1(second)


def serves(code: str, asked: str) -> bool:
    """Whether text under a code is in the language asked for: of its script, and of its region where one is asked
    for."""
    if code == asked:
        return True
    (script, region), (wanted_script, wanted_region) = _variant(code), _variant(asked)
    scripts = not (script and wanted_script) or script == wanted_script
    return same_language(code, asked) and scripts and wanted_region in ("", region)


def same_variety(first: str, second: str) -> bool:
    """Whether two codes mean the same language in the same script and region."""
    return serves(first, second) and serves(second, first)


def spelled_in(code: str, spellings: Iterable[str]) -> str | None:
    """How `spellings` write this language: exactly so where they do, else by any code that serves it; None where they
    do not."""
    known = list(spellings)
    if code in known:
        return code
    return next((spelling for spelling in known if serves(spelling, code)), None)


def spelled(code: str, spellings: Iterable[str]) -> str:
    """A language as `spellings` write it, or else as ISO 639-1 does; a script or a region stays as it is written, and
    "" stays ""."""
    return spelled_in(code, spellings) or (code.strip() if has_variant(code) else iso1(code))


def all_codes(code: str) -> frozenset[str]:
    """Every code known here for this language, in the script and of the region that the code names."""
    short = iso1(code)
    bare = {short, iso3(code), *(alias for alias, two in _to_two.items() if two == short)}
    variant = VARIANT.search(code)
    marked = {f"{base}{mark}{code[variant.end() :]}" for base in bare for mark in "_-"} if variant else set()
    return frozenset({code, *marked, *(other for other in bare if serves(other, code))})


def script_of(code: str) -> str:
    """The script that a code names, or is usual for its language, as ISO 15924 writes it; "" for what nobody here
    knows."""
    return _variant(code)[0]


def _variant(code: str) -> tuple[str, str]:
    """(script, region) of a code: the script it names, or is usual; "" for what nobody here knows."""
    parts = VARIANT.split(code.strip())[1:]
    region = next((part.upper() for part in parts if len(part) in (2, 3)), "")
    usual = OF_REGION.get(region, "") if iso1(code) == "zh" else ""
    usual = usual or _script.get(iso1(code)) or ("Latn" if is_known(code) else "")
    script = next((part.title() for part in parts if len(part) == 4), usual)
    return SAME_SCRIPTS.get(script, script), region
