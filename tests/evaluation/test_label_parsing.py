"""Labels as people write them, in every language of the table: what is read as a label, and what is not."""

from dataclasses import replace

import pytest
from project import ROOT

from maple.definitions.language import Writing, read_languages
from maple.evaluation.answer_parsing import parse_choice
from maple.text.accents import bare
from maple.text.letters import same_letters

LANGUAGES = {code: row for code, row in read_languages(ROOT / "config/languages.tsv").items() if row.words["true"]}
SETS = {"xnli": ("true", "neither", "false"), "sentiment": ("positive", "neutral", "negative")}
# The words of a language and those of English, as tasks accept them.
FORMS = {
    (code, name): [[language.words[word], LANGUAGES["eng_Latn"].words[word]] for word in words]
    for code, language in LANGUAGES.items()
    for name, words in SETS.items()
    if all(language.words[word] for word in words)
}
WRITING = {code: row.writing.or_english(LANGUAGES["eng_Latn"].writing) for code, row in LANGUAGES.items()}
# The words of all languages at once, for tests of letters and digits.
EVERY = Writing(
    negations=tuple(word for one in WRITING.values() for word in one.negations),
    particles=tuple(word for one in WRITING.values() for word in one.particles),
    option_words=tuple(word for one in WRITING.values() for word in one.option_words),
)
GREEK_CAPITALS = str.maketrans("ΆΈΉΊΌΎΏ", "ΑΕΗΙΟΥΩ")
COLONS = {"zho": "：", "jpn": "：", "khm": "៖", "amh": "፡", "tir": "፦"}
each_set = pytest.mark.parametrize(("code", "name"), FORMS)
LETTERS = [["A", "A. x of y", "x of y"], ["B", "B. vitamin A", "vitamin A"], ["C", "C. 18", "18"]]
DIGITS = [["1", "x of y"], ["2", "ሰኞ ነው።"]]


def capitals(word, code):
    """A word in capitals, as writers of its language make them."""
    if code[:3] in ("tur", "azj"):
        word = word.replace("i", "İ").replace("ı", "I")
    return word.upper().translate(GREEK_CAPITALS) if code[:3] == "ell" else word.upper()


def full_width(word):
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in word)


def ways_of_writing(word, code):
    language = LANGUAGES[code]
    colon = COLONS.get(code[:3], ":")
    yield from (
        word,
        f" {word} ",
        f"{word}.",
        f"{word}。",
        f"{word}।",
        f"({word})",
        f"“{word}”",
        f"«{word}»",
        f"「{word}」",
    )
    yield from (f"**{word}**", f"`{word}`", f"__{word}__", f"\\boxed{{{word}}}", f"$\\boxed{{\\text{{{word}}}}}$")
    yield from (f"✅ {word}", f"→ {word}", f"- {word}", f"{word} 👍", f"<b>{word}</b>", f"\u200f{word}\u200f")
    yield from (
        f"\u2067{word}\u2069",
        f"{word[:1]}\u00ad{word[1:]}",
        capitals(word, code),
        word.lower(),
        full_width(word),
    )
    yield from (f"{language.words['question']}{colon} {word}", f"{language.words['question']} {colon}**{word}**.")
    yield from (f"**Answer:** {word}", f"{word}\n\n{word}", f"\n{word}, (1)", f"{word} – 701 702", f"{word}; x")


@each_set
def test_a_label_is_read_however_it_is_written(code, name):
    forms = FORMS[code, name]
    for label, written in zip("abc", forms, strict=True):
        for word in written:
            for text in ways_of_writing(word, code):
                assert parse_choice(text, "abc", forms, WRITING[code]) == label, text


@each_set
def test_a_label_with_more_words_behind_it_is_none(code, name):
    forms = FORMS[code, name]
    for word in (form for written in forms for form in written):
        for text in (f"{word} 701", f"{word} {LANGUAGES[code].words['passage']}", f"{word}-{word}", f"x {word}"):
            assert parse_choice(text, "abc", forms, WRITING[code]) is None, text


@each_set
def test_two_labels_are_none(code, name):
    forms = FORMS[code, name]
    words = [written[0] for written in forms]
    for text in (f"{words[0]}/{words[2]}", f"{words[0]}, {words[2]}", f"x: {words[0]}, {words[1]}", " ".join(words)):
        assert parse_choice(text, "abc", forms, WRITING[code]) is None, text


# Denials of a label, as speakers of the language write them.
DENIED = {
    "eng_Latn": ["True it is not", "True, not really", "True? No.", "Not true"],
    "deu_Latn": ["Wahr ist das nicht", "Wahr – nicht", "Nicht wahr", "Wahr? Nein."],
    "spa_Latn": ["Verdadero no es", "¿Verdadero? No."],
    "por_Latn": ["Verdadeiro não é", "Verdadeiro? Não."],
    "fra_Latn": ["Vrai ? Non.", "Vrai, non"],
    "ita_Latn": ["Vero non è", "Vero? No."],
    "ron_Latn": ["Adevărat nu este", "Adevărat? Nu."],
    "rus_Cyrl": ["Истина? Нет."],
    "ukr_Cyrl": ["Істинно? Ні."],
    "bul_Cyrl": ["Вярно не е", "Вярно? Не."],
    "ell_Grek": ["Σωστό δεν είναι", "Σωστό; Όχι."],
    "est_Latn": ["Õige see ei ole", "Õige? Ei."],
    "tur_Latn": ["Doğru değil", "DOĞRU DEĞİL", "Doğru değildir", "Doğru, değil"],
    "azj_Latn": ["Doğru deyil", "Doğru? Xeyr."],
    "uzn_Latn": ["Rost emas"],
    "arb_Arab": ["صحيح؟ لا.", "غير صحيح"],
    "pes_Arab": ["درست نیست", "درست؟ نه."],
    "urd_Arab": ["درست نہیں ہے", "درست نہیں"],
    "hin_Deva": ["सही नहीं है", "सही नहीं", "सही? नहीं।"],
    "mar_Deva": ["बरोबर नाही", "बरोबर नाही."],
    "npi_Deva": ["सही होइन", "सही छैन"],
    "ben_Beng": ["সত্য নয়", "সত্য নয়।"],
    "guj_Gujr": ["સાચું નથી"],
    "pan_Guru": ["ਸਹੀ ਨਹੀਂ ਹੈ", "ਸਹੀ ਨਹੀਂ"],
    "tam_Taml": ["சரி இல்லை", "சரி அல்ல"],
    "tel_Telu": ["ఒప్పు కాదు"],
    "sin_Sinh": ["හරි නැත", "හරි නෑ"],
    "amh_Ethi": ["እውነት አይደለም", "እውነት፡አይደለም"],
    "som_Latn": ["Run maaha", "Run ma aha"],
    "zho_Hans": ["不正确", "正确？不", "正确吗", "正确 不"],
    "zho_Hant": ["不正確", "正確？不對"],
    "jpn_Jpan": ["正しくない", "正しいとは言えません", "正しい？いいえ"],
    "kor_Hang": ["참이 아닙니다", "참 아님", "참? 아니요."],
    "tha_Thai": ["จริงหรือไม่", "จริง ไม่ใช่", "ไม่จริง"],
    "lao_Laoo": ["ຖືກ ບໍ່", "ບໍ່ຖືກ"],
    "khm_Khmr": ["ត្រូវ ទេ", "មិនត្រូវ"],
    "mya_Mymr": ["မှန်သလား", "မမှန်ပါ"],
    "vie_Latn": ["Đúng không", "Không đúng"],
    "ind_Latn": ["Benar? Tidak.", "Tidak benar"],
    "zsm_Latn": ["Betul? Tidak."],
    "swh_Latn": ["Kweli? Hapana.", "Si kweli"],
    "yor_Latn": ["Òótọ́? Rárá."],
    "hau_Latn": ["Gaskiya? A'a.", "Ba gaskiya ba ne"],
    "ibo_Latn": ["Eziokwu? Mba."],
    "hat_Latn": ["Vre? Non."],
    "quy_Latn": ["Chiqap? Manam."],
}


def test_each_language_with_words_of_its_own_denies():
    own = {code for code, row in LANGUAGES.items() if row.words["true"] != "True"}
    assert set(DENIED) == own | {"eng_Latn"}


@pytest.mark.parametrize("code", DENIED)
def test_a_label_that_is_denied_is_not_read(code):
    for text in DENIED[code]:
        assert parse_choice(text, "abc", FORMS[code, "xnli"], WRITING[code]) is None, text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("jpn_Jpan", "正しいです。"),
        ("kor_Hang", "참입니다."),
        ("kor_Hang", "참이다"),
        ("kor_Hang", "답: 참"),
        ("zho_Hans", "正确的。"),
        ("zho_Hans", "答案：正确"),
        ("tha_Thai", "จริงครับ"),
        ("tha_Thai", "จริง ค่ะ"),
        ("lao_Laoo", "ຖືກແລ້ວ"),
        ("mya_Mymr", "မှန်ပါတယ်။"),
        ("khm_Khmr", "ត្រូវហើយ"),
        ("hin_Deva", "सही है।"),
        ("hin_Deva", "उत्तर: सही"),
        ("mar_Deva", "बरोबर आहे."),
        ("guj_Gujr", "સાચું છે."),
        ("pan_Guru", "ਸਹੀ ਹੈ।"),
        ("urd_Arab", "درست ہے۔"),
        ("pes_Arab", "درست است."),
        ("amh_Ethi", "እውነት ነው።"),
        ("tur_Latn", "Doğrudur."),
        ("yor_Latn", "Òótọ́ ni."),
        ("hau_Latn", "Gaskiya ne."),
    ],
)
def test_a_copula_or_a_particle_leaves_a_label_what_it_is(code, text):
    assert parse_choice(text, "abc", FORMS[code, "xnli"], WRITING[code]) == "a"


@pytest.mark.parametrize(
    ("form", "typed"),
    [
        ("صحيح", "صحیح"),
        ("خطأ", "خطا"),
        ("محايد", "محــايد"),
        ("کتاب", "كتاب"),
        ("Creș", "Creş"),
        ("Yolgʻon", "yolg`on"),
        ("Yolgʻon", "YOLG´ON"),
        ("ሐሰት", "ሀሰት"),
        ("गलत", "ग़लत"),
        ("हाँ", "हां"),
        ("Groß", "GROSS"),
        ("Ёлка", "елка"),
        ("අවිනිශ්චිත", "අවිනිශ්\u200dචිත"),
        ("Belirsiz", "BELİRSİZ"),
        ("Yanlış", "YANLIŞ"),
        ("Αβέβαιο", "ΑΒΕΒΑΙΟ"),
        ("Λάθος", "ΛΑΘΟΣ"),
        ("خاطئ", "خاطى"),
        ("مؤكد", "موكد"),
        ("خاطئة", "خاطئه"),
        ("غیر واضح", "غير واضح"),
        ("נכון", "נָכוֹן"),
        ("सही", "सही\u200d"),
        ("ज़रूर", "जरूर"),
        ("सम्बन्ध", "संबंध"),
        ("সত্য নয়", "সত্য নয\u09bc"),
        ("উৎস", "উত্\u200dস"),
        ("അവൻ", "അവന്\u200d"),
        ("แน่", "เเน่"),
        ("እውነት ዓለም", "እውነት አለም"),
        ("ፀሐይ", "ጸሀይ"),
        ("ጎን", "ጐን"),
        ("Irọ́", "Iro\u0329\u0301"),
        ("Džep", "ǅep"),
        ("NJEGOV", "ǊEGOV"),
        ("IŞIK", "ışık"),
    ],
)
def test_a_variant_of_a_letter_is_the_letter(form, typed):
    assert parse_choice(typed, "ab", [[form], ["x"]]) == "a"


@pytest.mark.parametrize(
    ("code", "form", "typed"),
    [
        ("yor_Latn", "Òótọ́", "Ooto"),
        ("yor_Latn", "Òótọ́", "ootọ"),
        ("yor_Latn", "Òótọ́", "Idahun: OOTO"),
        ("yor_Latn", "Òótọ́", "Ooto ni."),
        ("hau_Latn", "Ƙarya", "Karya ne."),
        ("ibo_Latn", "Ụgha", "Ugha"),
        ("ron_Latn", "Adevărat", "adevarat, pentru că a plouat"),
        ("tur_Latn", "Doğru", "Dogrudur."),
        ("tur_Latn", "Yanlış", "YANLIS"),
        ("azj_Latn", "Naməlum", "namelum"),
        ("fra_Latn", "Négatif", "NEGATIF"),
        ("fra_Latn", "Négatif", "Réponse : NEGATIF."),
        ("spa_Latn", "Quizás", "QUIZAS"),
        ("por_Latn", "Incompatível", "INCOMPATIVEL"),
        ("ita_Latn", "Verità", "VERITA"),
    ],
)
def test_a_label_is_read_without_its_accents_where_writers_leave_them_out(code, form, typed):
    assert parse_choice(typed, "ab", [[form], ["x"]], WRITING[code]) == "a"
    assert parse_choice(typed, "ab", [[form], ["x"]], replace(WRITING[code], unaccented="")) is None


@each_set
def test_labels_of_the_table_are_read_without_accents_where_their_column_says_so(code, name):
    forms, habit = FORMS[code, name], WRITING[code].unaccented
    for label, (word, _) in zip("abc", forms, strict=True):
        for text in ways_of_writing(capitals(bare(word), code), code):
            if text != text.lower() and text == text.upper():
                own = habit or bare(same_letters(word)) == same_letters(word)
                assert parse_choice(text, "abc", forms, WRITING[code]) == (label if own else None), text


@pytest.mark.parametrize(
    ("code", "form", "typed"),
    [
        ("vie_Latn", "Đúng", "dung"),  # the tone tells words apart
        ("deu_Latn", "Unmöglich", "UNMOGLICH"),
        ("fra_Latn", "Négatif", "Negatif"),  # capitals alone
        ("yor_Latn", "Òótọ́", "Òòtọ́"),  # another tone
        ("yor_Latn", "Òótọ́", "ooto ko"),
        ("yor_Latn", "Òótọ́", "Ooto? Rara."),
        ("yor_Latn", "Òótọ́", "Ootolo"),
        ("tur_Latn", "Doğru", "Dogru degil"),
        ("tur_Latn", "Doğru", "Dogru, degil"),
    ],
)
def test_a_word_that_is_another_one_is_not_read_as_a_label_without_accents(code, form, typed):
    assert parse_choice(typed, "ab", [[form], ["x"]], WRITING[code]) is None


def test_a_word_that_could_be_two_labels_without_accents_is_neither():
    writing = Writing(negations=("kò",), unaccented="always")
    forms = [["òdodo"], ["òdòdó"]]
    assert [parse_choice(text, "ab", forms, writing) for text in ("òdodo", "òdòdó", "ododo")] == ["a", "b", None]
    assert [parse_choice(text, "ab", [["sì"], ["si"]], writing) for text in ("sì", "si")] == ["a", "b"]
    assert parse_choice("ododo", "ab", [["òdodo"], ["èké"]], writing) == "a"


@each_set
def test_a_label_beside_a_word_that_denies_is_none(code, name):
    forms, language = FORMS[code, name], LANGUAGES[code]
    assert language.writing.negations, code
    cue = f"{language.words['question']}{COLONS.get(code[:3], ':')}"
    for label, word in ((label, form) for label, of in zip("abc", forms, strict=True) for form in of):
        for no in language.writing.negations:
            if parse_choice(no, "abc", forms) == label:
                continue  # as Falsch: the label is said twice
            texts = [
                f"{word} {no}",
                f"{word}, {no}",
                f"{word}? {no}.",
                f"{word} ({no})",
                f"{word} – {no}",
                f"{no} {word}",
            ]
            texts += [f"{no}: {word}", f"{cue} {no} {word}", f"{cue} {word}, {no}", f"**{word}**, {no}"]
            texts += [f"\u200f{word}، {no}\u200f", full_width(f"{word}, {no}"), capitals(f"{word}, {no}", code)]
            for text in texts:
                assert parse_choice(text, "abc", forms, WRITING[code]) is None, text


def test_a_letter_beside_a_word_that_denies_is_none():
    for code, language in LANGUAGES.items():
        for no in language.writing.negations:
            for text in (f"A {no}", f"A, {no}", f"A. {no}", f"{no} A", f"A. x of y, {no}", f"{no}: A"):
                assert parse_choice(text, "ABC", LETTERS, WRITING[code]) is None, text


def test_a_language_whose_row_is_new_needs_no_code():
    row = {"negations": "nda, hata", "particles": "-lo, ndi", "option_words": "wa", "unaccented": "always"}
    told = Writing.from_row(row).or_english(WRITING["eng_Latn"])
    forms = [["Zóna"], ["Bodza"]]
    read = {text: parse_choice(text, "ab", forms, told) for text in ("Zonalo", "zona ndi.", "Zona, chifukwa", "1")}
    assert read == {"Zonalo": "a", "zona ndi.": "a", "Zona, chifukwa": "a", "1": None}
    for text in ("Zona, nda", "Zona? Hata.", "nda: Zona", "Zona nda", "Zona, not"):
        assert parse_choice(text, "ab", forms, told) is None, text
    assert parse_choice("1 wa", "12", [["1"], ["2"]], told) == "1"


def test_where_no_one_has_said_how_a_language_denies_more_words_leave_a_doubt():
    unknown = Writing.from_row({"code": "nya_Latn"}).or_english(WRITING["eng_Latn"])
    forms = [["Zoona"], ["Bodza"]]
    texts = ("Zoona.", "Yankho: Zoona", "Zoona, ayi", "Zoona? Ayi.", "A. x of y", "A, ayi", "A है", "A. x of z")
    read = [parse_choice(text, "abABC", [*forms, *LETTERS], unknown) for text in texts]
    assert read == ["a", "a", None, None, "A", None, None, "A"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("A) x of y", "A"),
        ("A x of y", "A"),
        ("(A) X of y.", "A"),
        ("A - x of y", "A"),
        ("A, x of y, since", "A"),
        ("B) vitamin A", "B"),
        ("A. x of y I", "A"),
        ("A. x of y, B", None),
        ("Answer: A", "A"),
        ("The correct answer is: B.", "B"),
        ("Jibu: (C)", "C"),
        ("答案：A", "A"),
        ("ចម្លើយ៖ B", "B"),
        ("መልስ፡ B", "B"),
        ("**A**: x", "A"),
        ("Ⓐ", "A"),
        ("Ａ．", "A"),
        ("B है", "B"),
        ("B सही", "B"),
        ("A верно", "A"),
        ("A ነው", "A"),
        ("Aです", "A"),
        ("A가", None),
        ("B नहीं", None),
        ("B गलत", None),
        ("A неверно", None),
        ("A不对", None),
        ("Not A", None),
        ("Wrong answer: A", None),
        ("A: B", None),
        ("Options: A, B, C", None),
        ("A vitamin A", None),
        ("A vitamin", None),
        ("B is right", None),
        ("A x of y is wrong", None),
        ("B+", None),
        ("-18", None),
        ("18", "C"),
    ],
)
def test_a_letter_is_read_with_its_own_text_or_behind_a_cue(text, label):
    assert parse_choice(text, "ABC", LETTERS, EVERY) == label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1️⃣", "1"),
        ("①", "1"),
        ("٢", "2"),
        ("2 ሰኞ ነው", "2"),
        ("1 x of y", "1"),
        ("1 õige", "1"),
        ("1번입니다", "1"),
        ("$1$", "1"),
        ("1) 2024", "1"),
        ("1.5", None),
        ("1,5", None),
        ("1:30", None),
        ("1/2", None),
        ("-1", None),
        ("1%", None),
        ("$1", None),
        ("1 €", None),
        ("2 apples", None),
        ("2 सेब", None),
        ("10:2", None),
    ],
)
def test_a_digit_is_read_where_it_is_no_part_of_a_number(text, label):
    assert parse_choice(text, "12", DIGITS, EVERY) == label


def test_labels_that_differ_by_a_mark_alone_are_told_apart():
    forms = [["5"], ["-5"], ["5%"]]
    assert [parse_choice(text, "abc", forms) for text in ("5", "-5.", "5 %", "5%", "+5")] == ["a", "b", None, "c", None]
    assert [parse_choice(text, "ab", [["C"], ["C++"]]) for text in ("C", "C++", "C+")] == ["a", "b", None]
    assert [parse_choice(text, "ab", [[":)"], [":("]]) for text in (":)", ":(", ":")] == ["a", "b", None]
