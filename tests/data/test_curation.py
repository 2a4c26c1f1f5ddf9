import json
import os
import string
import subprocess
import sys
from collections import defaultdict

import polars as pl
import pytest
from project import ROOT
from toy_curation import BAD, ENGLISH, NARROW, mixed_rows, row

from maple.data.curation import LanguageLimits, curate, limits_in
from maple.data.examples import raw_rows
from maple.data.sources import RowFile
from maple.definitions.curation import CurationLimits, Novelty
from maple.definitions.dataset import Dataset, InstructionDataset
from maple.definitions.language import LanguageIdentity, read_languages
from maple.definitions.reading import read_definitions, read_yaml
from maple.synthesis.published import load
from maple.synthesis.recipe import LoadedRows
from maple.text.comparison import comparison_tokens
from maple.text.identification import script_share
from maple.text.segmentation import tokens

LIMITS = LanguageLimits(
    instruction_words=[3, 150],
    script_share=0.5,
    language=True,
    instruction_input_rouge_l=0.5,
    echo_rouge_l=0.9,
    refusals=["As an AI"],
    novelty=Novelty(fields=["instruction"], below=0.7),
)
SHARED = ROOT.parent / "shared" / "data"


def reasons(*rows, language=ENGLISH, limits=LIMITS):
    kept, dropped = curate(raw_rows(list(rows), language=language.code), language, limits)
    assert kept.height + dropped.height == len(rows)
    return dropped["reason"].to_list()


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_a_bad_row_is_dropped_for_its_reason(bad, reason):
    assert reasons(bad) == [reason]


def test_a_row_of_a_test_set_is_dropped_and_hides_no_other_row():
    rows = raw_rows([row("Name the capital of Kenya."), row("Name the capital of Peru."), row("Name it.")])
    kept, dropped = curate(rows, ENGLISH, LIMITS, test_sets=["xquad", "", "xquad"])
    assert kept["instruction"].to_list() == ["Name the capital of Peru."]
    assert dropped["reason"].to_list() == ["in a test set: xquad", "instruction too short"]


def test_reasons_that_concern_one_row_do_not_depend_on_the_order():
    decisions = []
    for seed in range(5):
        kept, dropped = curate(mixed_rows(200, seed), ENGLISH, NARROW)
        reasons = dict.fromkeys(kept["id"], "") | dict(dropped.select("id", "reason").iter_rows())
        assert {"duplicate", "not novel"} <= set(reasons.values())
        alone = {name: reason for name, reason in reasons.items() if reason not in ("", "duplicate", "not novel")}
        assert set(alone.values()) >= {reason for _, reason in BAD} - {"wrong language"}
        decisions.append(alone)
    assert all(alone == decisions[0] for alone in decisions)


def test_curation_does_not_depend_on_the_seed_of_hashes():
    code = (
        "from maple.data.contamination import overlaps; from maple.data.curation import curate;"
        "from toy_curation import *; rows = mixed_rows(300, 1);"
        "kept, dropped = curate(rows, ENGLISH, NARROW);"
        "held = overlaps(rows, {'test': ['name a river in the morning sun of Kenya', *rows['output'][:9]]}, 8);"
        "print(kept.write_json(), dropped.write_json(), held.write_json())"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT / "tests",
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            text=True,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert outputs[0].count("not novel") > 10 and outputs[0] == outputs[1] == outputs[2]


def test_an_output_may_repeat_its_input_to_edit_it():
    assert reasons(row("Write it in capitals.", "The sun rises.", "THE SUN RISES.")) == []


def test_a_repeated_row_is_kept_once():
    assert reasons(row(), row()) == ["duplicate"]


def test_rows_that_differ_by_a_symbol_are_two():
    pairs = [("Calculate 8 + 2.", "Calculate 8 - 2."), ("What is C?", "What is C++?"), ("Is it a < b?", "Is it a > b?")]
    for first, second in pairs:
        assert reasons(row(first), row(second), limits=LanguageLimits()) == []
    assert reasons(row("Rate it.", "Home :)"), row("Rate it.", "Home :("), limits=LanguageLimits()) == []
    assert reasons(row("Calculate 8+2."), row("calculate 8 + 2"), limits=LanguageLimits()) == ["duplicate"]


def test_rows_that_differ_by_case_and_punctuation_alone_are_one():
    assert reasons(row(), row("name the capital"), row("Name the Capital!", output="Mombasa")) == ["duplicate"] * 2


def test_limits_of_one_language_are_its_own_numbers_and_words():
    limits = {"instruction_input_rouge_l": {"default": 0.5, "arb_Arab": 0.2}, "refusals": True}
    refusals = {"eng_Latn": ["As an AI"], "arb_Arab": ["x"]}

    def of(code, limits=limits):
        return limits_in(CurationLimits(**limits), code, refusals, {"eng_Latn": ["map"], "tha_Thai": ["ไฟล์"]}).params()

    assert of("arb_Arab") == {"instruction_input_rouge_l": 0.2, "refusals": ["x", "As an AI"]}
    assert of("tha_Thai") == {"instruction_input_rouge_l": 0.5, "refusals": ["As an AI"]}
    assert of("tha_Thai", {}) == {"refusals": []}
    assert of("tha_Thai", {"unservable": True})["unservable"] == ["ไฟล์"]
    assert of("swh_Latn", {"unservable": True})["unservable"] == []  # file is a word of its own in many languages


UNSERVABLE = read_yaml(ROOT / "config/unservable.yaml")


@pytest.mark.parametrize(
    ("code", "asked", "served"),
    [
        ("eng_Latn", "Look at the Picture and tell.", "Depict your picturesque village."),
        ("eng_Latn", "Go to this shop and buy it.", "Go on, to the very end."),
        ("deu_Latn", "Zeichne ein Haus mit Garten.", "Erkläre, was den Garten auszeichnet."),
        ("rus_Cyrl", "Опиши, что ты видишь на изображении.", "Опиши, что ты видишь из окна."),
        ("kor_Hang", "이 사진을 설명해 주세요.", "이 사건을 설명해 주세요."),
        ("vie_Latn", "Hãy mô tả hình ảnh này.", "Hãy mô tả hình dạng này."),
        ("arb_Arab", "صف ما تراه في الصورة.", "صف ما تراه في الطريق."),
        ("jpn_Jpan", "次の棒グラフを説明してください。", "次のパラグラフを説明してください。"),
        ("zho_Hant", "請描述這張圖片。", "請計畫一次旅行。"),
        ("tha_Thai", "จงอธิบายรูปภาพนี้", "จงบอกวิธีดูแลสุขภาพ"),
    ],
)
def test_an_instruction_that_needs_more_than_text_is_dropped(code, asked, served):
    limits = limits_in(CurationLimits(unservable=True), code, {}, UNSERVABLE)
    assert reasons(row(asked), limits=limits) == ["needs more than text"]
    assert reasons(row(served, input="an image, a map"), limits=limits) == []


def test_alpaca_s_rows_have_none_of_its_unservable_words():
    path = SHARED / "instruct/alpaca/en.jsonl"
    if not path.is_file():
        pytest.skip(f"real rows are not there: {path}")
    limits = LanguageLimits(unservable=UNSERVABLE["eng_Latn"])
    kept, dropped = curate(load(LoadedRows(local=RowFile(path=str(path))), ENGLISH), ENGLISH, limits)
    assert kept.height > 1900 and "needs more than text" not in dropped["reason"]


def test_a_row_without_an_id_has_its_number(tmp_path):
    rows = [{"id": name, "instruction": "Say it.", "output": "It."} for name in ("a", None, None)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = RowFile(path=str(tmp_path / "rows.jsonl"))
    assert load(LoadedRows(local=source), ENGLISH)["id"].to_list() == [
        "a",
        "1",
        "2",
    ]


@pytest.mark.parametrize("text", ["a" * 5000, "1. " * 2000, "###" * 2000, "ndiyo " * 2000])
def test_an_endlessly_repeated_text_is_dropped(text):
    assert reasons(row(output=text), limits=LanguageLimits(compression_ratio=10)) == ["repetition"]
    assert reasons(row(output="ha ha ha ha ha ha"), limits=LanguageLimits(compression_ratio=10)) == []


LONG = {  # with what is left in English beside it, it is still taken for its language as a whole
    "de": "Beschreibe in wenigen Worten, was die Kinder heute gemacht haben und warum sie so früh aufgestanden sind.",
    "es": "Describe en pocas palabras lo que hicieron hoy los niños y por qué se levantaron tan temprano.",
    "sw": "Eleza kwa maneno machache walichofanya watoto leo na kwa nini waliamka mapema sana asubuhi hiyo.",
    "yo": "Ṣàlàyé ní ṣókí ohun tí àwọn ọmọ ṣe lónìí àti ìdí tí wọ́n fi tètè jí ní òwúrọ̀ yìí.",
    "th": "จงอธิบายสั้น ๆ ว่าวันนี้เด็ก ๆ ทำอะไรและทำไมจึงตื่นเช้ามาก",
}


@pytest.mark.parametrize("iso639_1", LONG)
def test_a_row_with_a_part_in_english_is_dropped(iso639_1):
    language = LanguageIdentity("x", "x", iso639_1, "Thai" if iso639_1 == "th" else "Latn")
    limits, english = LanguageLimits(language=True), "They all went to school this morning."
    for left in (row(LONG[iso639_1], output=english), row(english, output=LONG[iso639_1])):
        assert reasons(left, language=language, limits=limits) in (["in English"], ["wrong language"])
    assert reasons(row(LONG[iso639_1], output=LONG[iso639_1]), language=language, limits=limits) == []
    assert reasons(row(english, output=english), limits=limits) == []


def test_a_row_similar_to_a_kept_one_is_not_novel():
    assert reasons(row("Name the capital of Kenya."), row("Name the capital of Peru.")) == ["not novel"]


def test_an_input_within_the_instruction_becomes_empty():
    kept, _ = curate(raw_rows([row("Name the capital of Kenya.", "Kenya")]), ENGLISH, LIMITS)
    assert kept["input"].to_list() == [""]


def test_an_input_that_is_a_part_of_a_word_or_another_word_stays():
    for instruction, input in [("Name the art of this party.", "art"), ("Write this in base 2.", "2")]:
        kept, _ = curate(raw_rows([row(instruction, input)]), ENGLISH, LanguageLimits())
        assert kept["input"].to_list() == [input]


ANSWERS = {  # a question and its answer in a whole sentence
    "jpn_Jpan": [
        ("毎年十二月に日本で開かれる大会の名前は何ですか？", "毎年十二月に日本で開かれる大会の名前は、九州場所です。"),
        ("東京は世界で最も人口の多い都市のある国の首都ですか。", "東京は世界で最も人口の多い都市のある国の首都です。"),
    ],
    "zho_Hans": [("北京是世界上人口最多的国家之一的首都吗？", "北京是世界上人口最多的国家之一的首都。")],
    "tha_Thai": [("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทยใช่ไหม", "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทยใช่")],
    "hin_Deva": [("दुनिया के सबसे बड़े देश की सबसे लंबी नदी का नाम क्या है?", "दुनिया के सबसे बड़े देश की सबसे लंबी नदी का नाम लेना है।")],
    "por_Latn": [("A Terra é o terceiro planeta a partir do Sol?", "A Terra é o terceiro planeta a partir do Sol.")],
}


@pytest.mark.parametrize("code", ANSWERS)
def test_an_answer_in_a_whole_sentence_repeats_nothing_and_an_echo_does(code):
    limits = LanguageLimits(echo_rouge_l=0.9)
    for question, answer in ANSWERS[code]:
        assert reasons(row(question, output=answer), language=LANGUAGES[code], limits=limits) == []
        echo = row(question, output=f" {question} ")
        assert reasons(echo, language=LANGUAGES[code], limits=limits) == ["output repeats instruction"]


FOREIGN = [  # in no language, or in another one on purpose
    (
        "por_Latn",
        "Explique o que significa a sigla NASA.",
        "A sigla NASA significa National Aeronautics and Space Administration.",
    ),
    (
        "por_Latn",
        "Faça uma lista de filmes conhecidos.",
        "1. The Lord of the Rings\n2. Gone with the Wind\n3. The Sound of Music",
    ),
    (
        "spa_Latn",
        "Escribe una función que sume los números de una lista.",
        "def sum_numbers(numbers):\n    total = 0\n    for number in numbers:\n        total += number",
    ),
    (
        "swh_Latn",
        "Andika programu fupi inayosema habari za asubuhi.",
        "```\n# say good morning to everybody here\nprint('good morning to you all')\n```",
    ),
    (
        "deu_Latn",
        "Nenne eine Seite, auf der Kinder lesen lernen.",
        "how.to.read.with.children.org/and-their-parents",
    ),
    ("fra_Latn", "Comment dit-on bonjour en anglais ?", 'On dit "good morning to you and to all of your family".'),
    ("ita_Latn", "Scrivi la formula dell'area.", "$\\text{the area of the circle} = \\pi r^2$"),
    ("jpn_Jpan", "AWSは何の略語ですか？", "AWSはAmazon Web Servicesの略語です。"),
    ("por_Latn", "Converta o número romano MMXXI para algarismos.", "2021"),
]


@pytest.mark.parametrize(("code", "instruction", "output"), FOREIGN)
def test_code_links_quotes_and_names_are_in_no_language(code, instruction, output):
    limits = LanguageLimits(language=True, script_share=0.5)
    assert reasons(row(instruction, output=output), language=LANGUAGES[code], limits=limits) == []


def test_a_limit_that_is_null_is_off():
    assert reasons(row("Hi", output="x"), limits=LanguageLimits(instruction_words=None)) == []


def test_words_are_counted_in_scripts_without_spaces():
    chinese = LanguageIdentity("zho_Hans", "Chinese", "en", "Hans")
    assert reasons(row("请写一首关于秋天的诗。", output="秋风起"), language=chinese) == []


@pytest.mark.parametrize(
    ("text", "script", "share"),
    [("ሰኞ ab", "Ethi", 0.5), ("東京とtokyo", "Jpan", 3 / 8), ("123", "Latn", 1.0), ("星期", "Hans", 1.0)],
)
def test_the_share_of_a_script_is_of_letters(text, script, share):
    assert script_share(text, script) == pytest.approx(share)


REAL = {
    "multialpaca/pt": ("por_Latn", "pt", "Latn", 2000),
    "multialpaca/es": ("spa_Latn", "es", "Latn", 2000),
    "multialpaca/ja": ("jpn_Jpan", "ja", "Jpan", 2000),
    "alpaca/en": ("eng_Latn", "en", "Latn", 2000),
    "dolly/en": ("eng_Latn", "en", "Latn", 1000),
}


LANGUAGES = read_languages(ROOT / "config/languages.tsv")
REFUSALS = read_yaml(ROOT / "config/refusals.yaml")
DATASETS = [
    name
    for name, dataset in read_definitions(ROOT / "config/datasets", Dataset).items()
    if isinstance(dataset, InstructionDataset)
]
# Instruction, input, output: a sentence about rain, and tomorrow's school as a question.
GOOD = {
    "tha_Thai": [
        ("แต่งประโยคหนึ่งประโยคเกี่ยวกับฝน", "", "วันนี้ฝนตกทั้งวัน เด็ก ๆ จึงเล่นอยู่ในบ้าน"),
        ("เปลี่ยนประโยคต่อไปนี้ให้เป็นคำถาม", "พรุ่งนี้เด็ก ๆ จะไปโรงเรียน", "พรุ่งนี้เด็ก ๆ จะไปโรงเรียนไหม"),
    ],
    "jpn_Jpan": [
        (
            "雨についての文を一つ書いてください。",
            "",
            "今日は一日中雨が降っていたので、子どもたちは家の中で遊びました。",
        ),
        ("次の文を質問に変えてください。", "子どもたちは明日学校に行きます。", "子どもたちは明日学校に行きますか。"),
    ],
    "arb_Arab": [
        ("اكتب جملة واحدة عن المطر.", "", "نزل المطر طوال اليوم، فلعب الأطفال داخل البيت."),
        ("حوّل الجملة التالية إلى سؤال.", "سيذهب الأطفال غدًا إلى المدرسة.", "هل سيذهب الأطفال غدًا إلى المدرسة؟"),
    ],
    "amh_Ethi": [
        ("ስለ ዝናብ አንድ ዓረፍተ ነገር ጻፍ።", "", "ዛሬ ቀኑን ሙሉ ዝናብ ስለዘነበ ልጆቹ ቤት ውስጥ ተጫወቱ።"),
        ("የሚከተለውን ዓረፍተ ነገር ወደ ጥያቄ ቀይር።", "ልጆቹ ነገ ወደ ትምህርት ቤት ይሄዳሉ።", "ልጆቹ ነገ ወደ ትምህርት ቤት ይሄዳሉ?"),
    ],
}


@pytest.mark.parametrize("code", GOOD)
@pytest.mark.parametrize("dataset", DATASETS)
def test_good_rows_in_any_script_are_kept_by_every_dataset_s_limits(dataset, code):
    block = CurationLimits(**read_yaml(ROOT / f"config/datasets/{dataset}.yaml")["curate"])
    limits = limits_in(block, code, REFUSALS, UNSERVABLE)
    good = [row(*texts) for texts in GOOD[code]]
    assert reasons(*good, language=LANGUAGES[code], limits=limits) == []
    # Alpaca's minimum, four words, is reached in scripts without spaces too.
    assert reasons(*good, language=LANGUAGES[code], limits=limits.changed(instruction_words=[4, 150])) == []


@pytest.mark.parametrize("name", REAL)
def test_no_limit_drops_real_rows_for_their_script(name):
    path = SHARED / "instruct" / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"real rows are not there: {path}")
    code, iso639_1, script, rows = REAL[name]
    language = LanguageIdentity(code, code, iso639_1, script)
    refusals = read_yaml(ROOT / "config/refusals.yaml")
    block = CurationLimits(**read_yaml(ROOT / "config/datasets/multialpaca.yaml")["curate"])
    limits = limits_in(block, code, refusals, {})
    columns = {"columns": {"output": "response"}} if name.startswith("dolly") else {}
    raw = load(LoadedRows(local=RowFile(path=str(path), **columns)), language)
    kept, dropped = curate(raw, language, limits)
    assert raw.height == rows == kept.height + dropped.height
    drops = dict(dropped.group_by("reason").len().sort("len", descending=True).iter_rows())
    print(f"{name}: " + ", ".join(f"{reason} {count / rows:.1%}" for reason, count in drops.items()))
    mixed = drops.get("wrong script", 0) + drops.get("wrong language", 0)
    # Dolly asks many short questions alike, "What is ...?".
    assert sum(drops.values()) - mixed < (0.1 if name.startswith("dolly") else 0.03) * rows
    # What is in the wrong script is so for its Latin letters, never for having others.
    wrong = dropped.filter(pl.col("reason") == "wrong script").select("instruction", "output").rows()
    foreign = [script_share(" ".join(texts), "Latn") for texts in wrong]
    assert sum(share > 0.5 for share in foreign) >= (0.99 * len(wrong) if script != "Latn" else 0)
    assert len(wrong) < (0.01 if script == "Latn" else 0.1) * rows
    assert drops.get("wrong language", 0) < 0.05 * rows
    assert kept.height > 0.7 * rows


def in_letters_of(script):
    """A way to write English in another script: letter by letter, or a character a word and no spaces between."""
    if script == "Hans":
        simplified = (each for each in map(chr, range(0x4E00, 0xA000)) if script_share(each, "Hans"))
        characters = defaultdict(lambda: next(simplified))
        return lambda text: "".join(characters[word] for word in tokens(text))
    first = {"Cyrl": "а", "Ethi": "ሀ", "Thai": "ก"}[script]
    letters = "".join(chr(ord(first) + number) for number in range(26))
    table = str.maketrans(string.ascii_lowercase, letters) | str.maketrans(string.ascii_uppercase, letters.upper())
    return lambda text: text.translate(table)


@pytest.mark.parametrize("script", ["Cyrl", "Ethi", "Hans"])
@pytest.mark.parametrize("name", ["alpaca/en", "dolly/en"])
def test_real_rows_are_kept_and_dropped_alike_in_any_script(name, script):
    path = SHARED / "instruct" / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"real rows are not there: {path}")
    columns = {"columns": {"output": "response"}} if name.startswith("dolly") else {}
    texts = ("instruction", "input", "output")
    rows = [
        made
        for made in load(LoadedRows(local=RowFile(path=str(path), **columns)), ENGLISH).to_dicts()
        # Links and letters with accents would stay as they are, symbols would be lost, and what holds an input by its
        # letters alone may not hold it by its words.
        if all(made[text].isascii() and "http" not in made[text] and "www." not in made[text] for text in texts)
        and tokens(made["output"])
        and all(comparison_tokens(made[text]) == tokens(made[text]) for text in ("instruction", "output"))
        and (not made["input"] or " ".join(tokens(made["input"])) not in " ".join(tokens(made["instruction"])))
    ]
    limits = NARROW.changed(refusals=[])
    written = in_letters_of(script)
    other = [made | {text: written(made[text]) for text in texts} for made in rows]
    first = curate(raw_rows(rows), ENGLISH, limits)
    second = curate(raw_rows(other), LanguageIdentity("eng_Latn", "English", "en", script), limits)
    assert first[0]["id"].equals(second[0]["id"])
    assert first[1].select("id", "reason").equals(second[1].select("id", "reason"))
    assert first[0].height > 400 and first[1].height > 100
    print(name, dict(first[1].group_by("reason").len().iter_rows()))
