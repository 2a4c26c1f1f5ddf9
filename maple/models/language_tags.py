"""The tags by which translators know languages: those of a model, for the codes that this project has.

A translator reads and writes a language by a token of its own: `en_XX` in mBART-50, `__en__` in M2M100, `eng_Latn` in
NLLB. A model's file may name others (`tags`), and languages of which the model gets a new one (`new_tags`).
"""

from collections.abc import Callable, Iterator, Mapping

# M2M100's languages in the order of their ids (transformers 5.19, tokenization_m2m_100.py), by FLORES-200's codes.
# Breton and Western Frisian are none of FLORES-200.
M2M100 = {
    "afr_Latn": "af", "amh_Ethi": "am", "arb_Arab": "ar", "ast_Latn": "ast", "azj_Latn": "az", "bak_Cyrl": "ba",
    "bel_Cyrl": "be", "bul_Cyrl": "bg", "ben_Beng": "bn", "bre_Latn": "br", "bos_Latn": "bs", "cat_Latn": "ca",
    "ceb_Latn": "ceb", "ces_Latn": "cs", "cym_Latn": "cy", "dan_Latn": "da", "deu_Latn": "de", "ell_Grek": "el",
    "eng_Latn": "en", "spa_Latn": "es", "est_Latn": "et", "pes_Arab": "fa", "fuv_Latn": "ff", "fin_Latn": "fi",
    "fra_Latn": "fr", "fry_Latn": "fy", "gle_Latn": "ga", "gla_Latn": "gd", "glg_Latn": "gl", "guj_Gujr": "gu",
    "hau_Latn": "ha", "heb_Hebr": "he", "hin_Deva": "hi", "hrv_Latn": "hr", "hat_Latn": "ht", "hun_Latn": "hu",
    "hye_Armn": "hy", "ind_Latn": "id", "ibo_Latn": "ig", "ilo_Latn": "ilo", "isl_Latn": "is", "ita_Latn": "it",
    "jpn_Jpan": "ja", "jav_Latn": "jv", "kat_Geor": "ka", "kaz_Cyrl": "kk", "khm_Khmr": "km", "kan_Knda": "kn",
    "kor_Hang": "ko", "ltz_Latn": "lb", "lug_Latn": "lg", "lin_Latn": "ln", "lao_Laoo": "lo", "lit_Latn": "lt",
    "lvs_Latn": "lv", "plt_Latn": "mg", "mkd_Cyrl": "mk", "mal_Mlym": "ml", "khk_Cyrl": "mn", "mar_Deva": "mr",
    "zsm_Latn": "ms", "mya_Mymr": "my", "npi_Deva": "ne", "nld_Latn": "nl", "nob_Latn": "no", "nso_Latn": "ns",
    "oci_Latn": "oc", "ory_Orya": "or", "pan_Guru": "pa", "pol_Latn": "pl", "pbt_Arab": "ps", "por_Latn": "pt",
    "ron_Latn": "ro", "rus_Cyrl": "ru", "snd_Arab": "sd", "sin_Sinh": "si", "slk_Latn": "sk", "slv_Latn": "sl",
    "som_Latn": "so", "als_Latn": "sq", "srp_Cyrl": "sr", "ssw_Latn": "ss", "sun_Latn": "su", "swe_Latn": "sv",
    "swh_Latn": "sw", "tam_Taml": "ta", "tha_Thai": "th", "tgl_Latn": "tl", "tsn_Latn": "tn", "tur_Latn": "tr",
    "ukr_Cyrl": "uk", "urd_Arab": "ur", "uzn_Latn": "uz", "vie_Latn": "vi", "wol_Latn": "wo", "xho_Latn": "xh",
    "ydd_Hebr": "yi", "yor_Latn": "yo", "zho_Hans": "zh", "zul_Latn": "zu",
}  # fmt: skip
# Its Chinese is in both scripts.
ALSO_M2M100 = {"zho_Hant": "zh"}
# mBART-50's tags in the order of their ids (transformers 5.19, tokenization_mbart50.py).
MBART50 = (
    "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT", "ja_XX",
    "kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN",
    "zh_CN", "af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH", "mk_MK", "ml_IN",
    "mn_MN", "mr_IN", "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA",
    "ur_PK", "xh_ZA", "gl_ES", "sl_SI",
)  # fmt: skip
_MBART50 = {tag[:2]: tag for tag in MBART50}
# Telugu is mBART-50's alone.
_TWO_LETTERS = {**M2M100, "tel_Telu": "te"}


class UnknownTagError(ValueError):
    """A model has no tag of a language; the message names both and says what to write."""


def forms(tag: str) -> Iterator[str]:
    """Yield the tokens that a tag in a model's file may stand for: itself, or M2M100's token of its name."""
    yield tag
    yield f"__{tag}__"


def default_forms(code: str) -> Iterator[str]:
    """Yield the tokens that a language may have in NLLB, M2M100 and mBART-50, by its code in FLORES-200."""
    yield code
    if short := _TWO_LETTERS.get(code) or ALSO_M2M100.get(code):
        yield f"__{short}__"
    if tag := _MBART50.get(_TWO_LETTERS.get(code, "")):
        yield tag


def tag_of(code: str, stated: Mapping[str, str], known: Callable[[str], bool]) -> str:
    """Return the token of a language in a model whose tags `known` tells; `stated` are `tags` of the model's file.

    Raises UnknownTagError for a language without a token: transformers' tokenizers of mBART-50 and NLLB would take the
    unknown token for it, without a word.
    """
    if code in stated:
        if found := next(filter(known, forms(stated[code])), None):
            return found
        raise UnknownTagError(f"tags.{code}: {stated[code]!r} is no tag of the model; name a token of its tokenizer")
    if found := next(filter(known, default_forms(code)), None):
        return found
    raise UnknownTagError(
        f"the model has no tag of {code}; write the tag of a related language that it has under tags, as in "
        f"tags: {{{code}: te_IN}}, or under new_tags, to learn a new one from there"
    )
