"""Words around a label that leave it what it is, and words that deny it.

Only what is certain is here: an answer with other words is unparsed, never guessed. Words are written as
maple.text.letters.same_letters and case folding leave them.
"""

from collections.abc import Iterable

import regex

from maple.text.letters import same_letters

# What may stand behind a label, with or without a space, if nothing but marks follows: copulas and particles.
_BEHIND = {
    "jpn": "です, だ, である, ですね, ですよ, だよ, だね, でございます, が正しい, が正しいです, が正解, が正解です",
    "kor": "입니다, 이다, 이에요, 예요, 임, 이야, 적, 적입니다, 적이다, 적임, 하다, 합니다, 함",
    "zho": "的, 是对的, 是正确的, 是對的, 是正確的, 对, 正确, 正確, 项, 項, 选项, 選項",
    "tha": "ครับ, ค่ะ, นะครับ, นะคะ, จ้ะ, จ้า",
    "lao": "ຄັບ, ຄຣັບ, ແລ້ວ, ຕ້ອງ, ຕ້ອງແລ້ວ",
    "mya": "ပါတယ်, ပါသည်, တယ်, သည်, ပါ, ကန်ပါတယ်, ကန်ပါသည်, ကန်သည်, ပါတယ်ခင်ဗျာ, ပါတယ်ရှင်",
    "khm": "ហើយ, បាទ, ចាស, ចាស៎",
    "tur": "dir, dür, dur, tir, tür, tur, 'dir, 'dür, 'dur, 'tir, 'tür, 'tur",
}
# What may stand behind a label as a word of its own.
_BEHIND_APART = {
    "hin": "है, है जी, हैं",
    "mar": "आहे, आहेत",
    "npi": "हो, छ",
    "guj": "છે",
    "pan": "ਹੈ",
    "urd": "ہے, ہیں",
    "pes": "است, می‌باشد",
    "amh": "ነው",
    "tir": "እዩ",
    "hau": "ne, ce",
    "yor": "ni",
    "azj": "dir",
}
# What may stand behind a digit: it counts or names the option. A noun would make it a quantity, as in "2 apples".
_BEHIND_DIGIT = {
    "kor": "번, 번입니다, 번이다, 번이 맞습니다, 번이 정답입니다",
    "zho": "号, 號, 项, 項",
    "jpn": "番, 番です, 番目",
    "est": "õige, on õige",
    "hin": "सही, सही है, सही विकल्प है",
}
# How an answer denies what stands beside it, or calls it wrong. A word that begins so is not read as an affirmation.
_DENIALS = {
    "eng": "no, not, wrong, false, incorrect, except, neither, nor, isn't",
    "deu": "nicht, nein, kein, falsch",
    "spa": "no, ni, falso, incorrecto",
    "por": "não, nao, errado, falso, incorreto",
    "fra": "non, pas, faux, incorrect",
    "ita": "non, no, falso, errato",
    "ron": "nu, fals, greșit",
    "rus": "не, нет, ни, лож, ошиб, кроме",
    "ukr": "не, ні, хиб, помил, крім",
    "bul": "не, греш, освен",
    "ell": "όχι, δεν, λάθος",
    "tur": "değil, hayır, yanlış",
    "azj": "deyil, xeyr, yanlış",
    "uzn": "emas, yo'q, yolg'on, noto'g'ri",
    "est": "ei, mitte, vale",
    "vie": "không, sai",
    "ind": "tidak, bukan, salah",
    "zsm": "tidak, bukan, salah",
    "swh": "si, sio, siyo, hapana, uongo",
    "yor": "kò, kọ́, rárá, irọ́",
    "hau": "ba, a'a, ƙarya",
    "ibo": "mba, abụghị, ụgha",
    "som": "ma, maaha, maya, been",
    "hat": "non, pa, fo",
    "quy": "mana, manam, llulla",
    "kin": "oya, si",
    "lin": "te",
    "lug": "nedda, si",
    "xho": "hayi",
    "jav": "ora, dudu",
    "sun": "henteu, teu, lain",
    "gaz": "miti, lakki",
    "arb": "لا, ليس, ليست, غير, خطأ, خاطئ, عدا",
    "pes": "نه, نیست, غلط, نادرست, اشتباه, بجز",
    "urd": "نہیں, نہ, مت, غلط",
    "hin": "नहीं, न, ना, मत, गलत, ग़लत, छोड़, सिवा",
    "mar": "नाही, नाहीत, न, चूक, चुकी",
    "npi": "होइन, छैन, न, गलत",
    "ben": "না, নয়, নেই, মিথ্যা, ভুল",
    "guj": "નથી, ના, ન, ખોટ",
    "pan": "ਨਹੀਂ, ਨਾ, ਗਲਤ",
    "tam": "இல்லை, அல்ல, தவறு",
    "tel": "కాదు, లేదు, తప్పు",
    "kan": "ಅಲ್ಲ, ಇಲ್ಲ, ತಪ್ಪು",
    "sin": "නැත, නෑ, නොවේ, නොවෙයි, වැරදි",
    "amh": "አይደለም, አይደ, አይ, የለም, ስህተት, ሐሰት, ውሸት",
    "tir": "ኣይኮነን, ኣይ, ጌጋ, ሓሶት",
    "kor": "아니, 아니요, 아니오, 아닙, 아닙니다, 아님, 안, 틀, 제외, 빼",
    "jpn": "ではない, じゃない, ない, 違, 間違, 誤, いいえ, 以外",
    "zho": "不, 不是, 不对, 不對, 不正确, 不正確, 没, 沒, 非, 错, 錯, 否, 未",
    "tha": "ไม่, ผิด, เท็จ, มิ",
    "lao": "ບໍ່, ຜິດ",
    "mya": "မဟုတ်, မမှန်, မှား",
    "khm": "មិន, ទេ, អត់, ខុស",
}

# Scripts without spaces: a denial ends where the next word begins, and nothing shows where.
_UNSPACED = ("jpn", "zho", "tha", "lao", "mya", "khm")
# Behind the last letter of a word.
_WORD_END = r"(?![\p{L}\p{M}\p{N}])"


def _any_of(lists: Iterable[str]) -> str:
    forms = {same_letters(form).casefold() for forms in lists for form in forms.split(", ")}
    return "|".join(map(regex.escape, sorted(forms, key=len, reverse=True)))


_DENYING = _any_of(_DENIALS.values())
_OF_LETTERS = _any_of(_BEHIND.values())
_OF_WORDS = _any_of(_BEHIND_APART.values())
# Behind a label that is a word, behind one that is a letter, and behind one that is a digit.
BEHIND_WORD = regex.compile(rf"(?:\s*(?:{_OF_LETTERS})|\s+(?:{_OF_WORDS})){_WORD_END}")
BEHIND_LETTER = regex.compile(rf"(?V1)(?!\s*\p{{Latin}})\s*(?:{_OF_LETTERS}|{_OF_WORDS}){_WORD_END}")
BEHIND_DIGIT = regex.compile(
    rf"(?V1)(?!\s*\p{{Latin}})\s*(?:{_OF_LETTERS}|{_OF_WORDS}){_WORD_END}"
    rf"|\s*(?:{_any_of(_BEHIND_DIGIT.values())}){_WORD_END}"
)
# The beginning of a word that denies; a text that begins with a whole one; and one that consists of such words.
DENYING_WORD = regex.compile(_DENYING)
_SPACED_DENIALS = _any_of(forms for code, forms in _DENIALS.items() if code not in _UNSPACED)
_UNSPACED_DENIALS = _any_of(_DENIALS[code] for code in _UNSPACED)
DENYING_TEXT = regex.compile(rf"(?:{_SPACED_DENIALS}){_WORD_END}|{_UNSPACED_DENIALS}")
ONLY_DENYING = regex.compile(rf"(?:(?:{_DENYING}){_WORD_END}[\s\p{{P}}]*)+")
DENIAL_WITHIN = regex.compile(rf"(?<![\p{{L}}\p{{M}}\p{{N}}])(?:{_SPACED_DENIALS}){_WORD_END}|{_UNSPACED_DENIALS}")
