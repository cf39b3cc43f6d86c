"""Languages by their codes: ISO 639-1, ISO 639-3, and the other codes that data sets use for the same language.

    iso1("deu") == iso1("ger") == iso1("deu_Latn") == "de"      iso1("pes") == "fa"
    iso1("gsw") == "gsw", which has no short code
    same_language("cmn", "zh")                                  iso3("sw") == "swa", though Tatoeba says swh

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
VARIANT = re.compile(r"[_-]")  # zho_Hans, pt_BR, zh-TW: the language stands before it

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


def same_language(first: str, second: str) -> bool:
    return iso1(first) == iso1(second)


def spelled_in(code: str, spellings: Iterable[str]) -> str | None:
    """How `spellings` write this language: exactly so where they do, else any code of the same language; None where
    they do not."""
    known = list(spellings)
    if code in known:
        return code
    return next((spelling for spelling in known if same_language(spelling, code)), None)


def spelled(code: str, spellings: Iterable[str]) -> str:
    """A language as `spellings` write it, or else as ISO 639-1 does; "" stays ""."""
    return spelled_in(code, spellings) or iso1(code)


def all_codes(code: str) -> frozenset[str]:
    """Every code known here for this language."""
    short = iso1(code)
    return frozenset({code, short, iso3(code), *(alias for alias, two in _to_two.items() if two == short)})
