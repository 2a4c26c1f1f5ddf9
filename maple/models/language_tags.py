"""The tags by which translators know languages: those of a model, for the codes that this project has.

A translator reads and writes a language by a token of its own: `en_XX` in mBART-50, `__en__` in M2M100, `eng_Latn` in
NLLB. Models of T5's architecture have in front of the source what to translate into: `<2en>` in MADLAD-400, words in T5
itself. A model's file may name others (`tags`), and languages of which the model gets a new one (`new_tags`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maple.models.limits import LIKE_T5
from maple.models.special_tokens import json_of

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
# NLLB-200's tags in the order of their ids (transformers 5.19, tokenization_nllb.py): codes of FLORES-200.
NLLB200 = (
    "ace_Arab", "ace_Latn", "acm_Arab", "acq_Arab", "aeb_Arab", "afr_Latn", "ajp_Arab", "aka_Latn", "amh_Ethi",
    "apc_Arab", "arb_Arab", "ars_Arab", "ary_Arab", "arz_Arab", "asm_Beng", "ast_Latn", "awa_Deva", "ayr_Latn",
    "azb_Arab", "azj_Latn", "bak_Cyrl", "bam_Latn", "ban_Latn", "bel_Cyrl", "bem_Latn", "ben_Beng", "bho_Deva",
    "bjn_Arab", "bjn_Latn", "bod_Tibt", "bos_Latn", "bug_Latn", "bul_Cyrl", "cat_Latn", "ceb_Latn", "ces_Latn",
    "cjk_Latn", "ckb_Arab", "crh_Latn", "cym_Latn", "dan_Latn", "deu_Latn", "dik_Latn", "dyu_Latn", "dzo_Tibt",
    "ell_Grek", "eng_Latn", "epo_Latn", "est_Latn", "eus_Latn", "ewe_Latn", "fao_Latn", "pes_Arab", "fij_Latn",
    "fin_Latn", "fon_Latn", "fra_Latn", "fur_Latn", "fuv_Latn", "gla_Latn", "gle_Latn", "glg_Latn", "grn_Latn",
    "guj_Gujr", "hat_Latn", "hau_Latn", "heb_Hebr", "hin_Deva", "hne_Deva", "hrv_Latn", "hun_Latn", "hye_Armn",
    "ibo_Latn", "ilo_Latn", "ind_Latn", "isl_Latn", "ita_Latn", "jav_Latn", "jpn_Jpan", "kab_Latn", "kac_Latn",
    "kam_Latn", "kan_Knda", "kas_Arab", "kas_Deva", "kat_Geor", "knc_Arab", "knc_Latn", "kaz_Cyrl", "kbp_Latn",
    "kea_Latn", "khm_Khmr", "kik_Latn", "kin_Latn", "kir_Cyrl", "kmb_Latn", "kon_Latn", "kor_Hang", "kmr_Latn",
    "lao_Laoo", "lvs_Latn", "lij_Latn", "lim_Latn", "lin_Latn", "lit_Latn", "lmo_Latn", "ltg_Latn", "ltz_Latn",
    "lua_Latn", "lug_Latn", "luo_Latn", "lus_Latn", "mag_Deva", "mai_Deva", "mal_Mlym", "mar_Deva", "min_Latn",
    "mkd_Cyrl", "plt_Latn", "mlt_Latn", "mni_Beng", "khk_Cyrl", "mos_Latn", "mri_Latn", "zsm_Latn", "mya_Mymr",
    "nld_Latn", "nno_Latn", "nob_Latn", "npi_Deva", "nso_Latn", "nus_Latn", "nya_Latn", "oci_Latn", "gaz_Latn",
    "ory_Orya", "pag_Latn", "pan_Guru", "pap_Latn", "pol_Latn", "por_Latn", "prs_Arab", "pbt_Arab", "quy_Latn",
    "ron_Latn", "run_Latn", "rus_Cyrl", "sag_Latn", "san_Deva", "sat_Beng", "scn_Latn", "shn_Mymr", "sin_Sinh",
    "slk_Latn", "slv_Latn", "smo_Latn", "sna_Latn", "snd_Arab", "som_Latn", "sot_Latn", "spa_Latn", "als_Latn",
    "srd_Latn", "srp_Cyrl", "ssw_Latn", "sun_Latn", "swe_Latn", "swh_Latn", "szl_Latn", "tam_Taml", "tat_Cyrl",
    "tel_Telu", "tgk_Cyrl", "tgl_Latn", "tha_Thai", "tir_Ethi", "taq_Latn", "taq_Tfng", "tpi_Latn", "tsn_Latn",
    "tso_Latn", "tuk_Latn", "tum_Latn", "tur_Latn", "twi_Latn", "tzm_Tfng", "uig_Arab", "ukr_Cyrl", "umb_Latn",
    "urd_Arab", "uzn_Latn", "vec_Latn", "vie_Latn", "war_Latn", "wol_Latn", "xho_Latn", "ydd_Hebr", "yor_Latn",
    "yue_Hant", "zho_Hans", "zho_Hant", "zul_Latn",
)  # fmt: skip
# The languages of MADLAD-400 (arXiv 2309.04662; the card of google/madlad400-3b-mt) by FLORES-200's codes, as far as
# both have them.
MADLAD400 = {
    **{code: short for code, short in M2M100.items() if short not in ("ast", "bs", "ff", "ns", "tl")},
    "ace_Latn": "ace", "aka_Latn": "ak", "asm_Beng": "as", "ayr_Latn": "ay", "bam_Latn": "bm", "ban_Latn": "ban",
    "bho_Deva": "bho", "bod_Tibt": "bo", "bos_Latn": "bs", "cjk_Latn": "cjk", "ckb_Arab": "ckb", "dyu_Latn": "dyu",
    "dzo_Tibt": "dz", "epo_Latn": "eo", "eus_Latn": "eu", "ewe_Latn": "ee", "fao_Latn": "fo", "fij_Latn": "fj",
    "fon_Latn": "fon", "gaz_Latn": "om", "grn_Latn": "gn", "kac_Latn": "kac", "kbp_Latn": "kbp", "kin_Latn": "rw",
    "kir_Cyrl": "ky", "kmb_Latn": "kmb", "kmr_Latn": "ku", "kon_Latn": "kg", "ltg_Latn": "ltg", "lus_Latn": "lus",
    "mag_Deva": "mag", "mai_Deva": "mai", "min_Latn": "min", "mlt_Latn": "mt", "mri_Latn": "mi", "nso_Latn": "nso",
    "nya_Latn": "ny", "pag_Latn": "pag", "pap_Latn": "pap", "quy_Latn": "qu", "run_Latn": "rn", "sag_Latn": "sg",
    "san_Deva": "sa", "shn_Mymr": "shn", "smo_Latn": "sm", "sna_Latn": "sn", "sot_Latn": "st", "tat_Cyrl": "tt",
    "tel_Telu": "te", "tgk_Cyrl": "tg", "tgl_Latn": "fil", "tir_Ethi": "ti", "tso_Latn": "ts", "tuk_Latn": "tk",
    "uig_Arab": "ug", "vec_Latn": "vec", "war_Latn": "war", "yue_Hant": "yue",
}  # fmt: skip
_MBART50 = {tag[:2]: tag for tag in MBART50}
# Telugu is mBART-50's alone.
_TWO_LETTERS = {**M2M100, "tel_Telu": "te"}
# The tags of the models that are built here, by transformers' type of model.
BUILT_TAGS = {"mbart": MBART50, "m2m_100": NLLB200}
# The tags of published models by their type and the rows of their embedding.
PUBLISHED_TAGS = {
    ("mbart", 250054): MBART50,
    ("m2m_100", 128112): tuple(f"__{short}__" for short in M2M100.values()),
    ("m2m_100", 256206): NLLB200,
    ("t5", 256000): tuple(f"<2{short}>" for short in MADLAD400.values()),
}


class UnknownTagError(ValueError):
    """A model has no tag of a language; the message names both and says what to write."""


@dataclass(frozen=True)
class Tags:
    """The tags that a model has."""

    known: frozenset[str]
    in_source: bool = False
    """True if that of the target stands in front of the source, and words may stand there instead."""

    def of(self, code: str, stated: Mapping[str, str]) -> str:
        """Return the tag of a language; `stated` are `tags` of the model's file. Raises UnknownTagError."""
        return (source_tag_of if self.in_source else tag_of)(code, stated, self.known.__contains__)


def published_tags(architecture: Mapping[str, Any]) -> Tags | None:
    """Return the tags of a published model by the keys of its config; None for a model that is not known by them."""
    named = str(architecture.get("model_type"))
    known = PUBLISHED_TAGS.get((named, architecture.get("vocab_size", 0)), () if named in LIKE_T5 else None)
    return None if known is None else Tags(frozenset(known), named in LIKE_T5)


def tags_in(folder: Path) -> Tags | None:
    """Return the special tokens of a translator's folder, its tags among them; None for a folder without a tokenizer.

    Of T5's architecture they are the pieces that look like MADLAD's tags. A folder without tokenizer.json is M2M100's.
    """
    in_source = json_of(folder / "config.json").get("model_type") in LIKE_T5
    if (folder / "tokenizer.json").is_file():
        content = json_of(folder / "tokenizer.json")
        tokens = [token["content"] for token in content.get("added_tokens", ())]
        if in_source:
            vocabulary = content["model"]["vocab"]
            pieces = vocabulary if isinstance(vocabulary, Mapping) else (piece for piece, _ in vocabulary)
            tokens += [piece for piece in pieces if piece.startswith("<2")]
        return Tags(frozenset(tokens), in_source)
    m2m100 = (folder / "vocab.json").is_file() and not in_source
    return Tags(frozenset(f"__{short}__" for short in M2M100.values())) if m2m100 else None


def source_tag_of(code: str, stated: Mapping[str, str], known: Callable[[str], bool]) -> str:
    """Return what stands in front of a source to translate it into a language; `known` tells a model's tokens.

    Words of the model's file may be any text. Raises UnknownTagError for a language of which there are none.
    """
    if code in stated:
        return stated[code]
    if code in MADLAD400 and known(tag := f"<2{MADLAD400[code]}>"):
        return tag
    raise UnknownTagError(
        f"the model has no tag of {code}; write under tags what stands in front of a source to translate it into that, "
        'as {swh_Latn: "translate to Swahili:"}'
    )


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
        f"the model has no tag of {code}; write the tag of a related language that it has under tags, as Telugu's for "
        "Kannada, {kan_Knda: te_IN}, or under new_tags, to learn a new one from there"
    )
