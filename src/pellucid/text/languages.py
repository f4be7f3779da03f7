"""Language codes: BCP 47 tags and the two- and three-letter codes of ISO 639, as one code."""

ISO_639 = """
aa aar, ab abk, ae ave, af afr, ak aka, am amh, an arg, ar ara, as asm, av ava, ay aym, az aze,
ba bak, be bel, bg bul, bh bih, bi bis, bm bam, bn ben, bo bod tib, br bre, bs bos, ca cat,
ce che, ch cha, co cos, cr cre, cs ces cze, cu chu, cv chv, cy cym wel, da dan, de deu ger,
dv div, dz dzo, ee ewe, el ell gre, en eng, eo epo, es spa, et est, eu eus baq, fa fas per,
ff ful, fi fin, fj fij, fo fao, fr fra fre, fy fry, ga gle, gd gla, gl glg, gn grn, gu guj,
gv glv, ha hau, he heb, hi hin, ho hmo, hr hrv, ht hat, hu hun, hy hye arm, hz her, ia ina,
id ind, ie ile, ig ibo, ii iii, ik ipk, io ido, is isl ice, it ita, iu iku, ja jpn, jv jav,
ka kat geo, kg kon, ki kik, kj kua, kk kaz, kl kal, km khm, kn kan, ko kor, kr kau, ks kas,
ku kur, kv kom, kw cor, ky kir, la lat, lb ltz, lg lug, li lim, ln lin, lo lao, lt lit, lu lub,
lv lav, mg mlg, mh mah, mi mri mao, mk mkd mac, ml mal, mn mon, mr mar, ms msa may, mt mlt,
my mya bur, na nau, nb nob, nd nde, ne nep, ng ndo, nl nld dut, nn nno, no nor, nr nbl, nv nav,
ny nya, oc oci, oj oji, om orm, or ori, os oss, pa pan, pi pli, pl pol, ps pus, pt por, qu que,
rm roh, rn run, ro ron rum, ru rus, rw kin, sa san, sc srd, sd snd, se sme, sg sag, si sin,
sk slk slo, sl slv, sm smo, sn sna, so som, sq sqi alb, sr srp, ss ssw, st sot, su sun, sv swe,
sw swa, ta tam, te tel, tg tgk, th tha, ti tir, tk tuk, tl tgl, tn tsn, to ton, tr tur, ts tso,
tt tat, tw twi, ty tah, ug uig, uk ukr, ur urd, uz uzb, ve ven, vi vie, vo vol, wa wln, wo wol,
xh xho, yi yid, yo yor, za zha, zh zho chi, zu zul
"""
"""Two-letter codes, each with its three-letter codes (terminological, then bibliographic)."""

CHINESE = "cdo cjy cmn cnp cpx csp czh czo gan hak hsn lzh mnp nan wuu yue"
"""Three-letter codes of the languages that ISO 639-3 counts as Chinese."""

_TWO_LETTERS = {code: row.split()[0] for row in ISO_639.split(",") for code in row.split()}
_TWO_LETTERS |= dict.fromkeys(CHINESE.split(), "zh")


def base_language(code: str) -> str:
    """Return the two-letter code of a language: `zh` for zh-Hans, zh_TW, zho, chi and cmn-Hans-CN.

    A language without one, or an unknown code, gives its first part in lower case.
    Source: BCP 47; ISO 639-1, 639-2 and 639-3.
    """
    first = _subtags(code)[0]
    return _TWO_LETTERS.get(first, first)


def is_known_language(code: str) -> bool:
    """Return whether the code names one of the languages that have a two-letter code."""
    return _subtags(code)[0] in _TWO_LETTERS


def has_spaces(code: str) -> bool:
    """Return whether the language is written with spaces; Chinese and Japanese are not.

    In Latin letters (`zh-Latn`) both are.
    """
    return base_language(code) not in ("zh", "ja") or "latn" in _subtags(code)


def _subtags(code: str) -> list[str]:
    return code.strip().lower().replace("_", "-").split("-")
