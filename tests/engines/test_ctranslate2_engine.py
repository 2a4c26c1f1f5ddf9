"""CTranslate2's translators on toys: a random mBART and M2M100, and an NLLB that knows three sentences by heart."""

import pytest
import seq2seq as translators
from toy_translators import ARCHITECTURES, BOS, EOS, PAD, POSITIONS, saved

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed: make .venv/cpu")

from maple.definitions.generation import BeamSearch
from maple.engines.ctranslate2_engine import CTranslate2Translator
from maple.engines.engine import EngineError
from maple.engines.translator import Source, TransformersTranslator, TranslatorOptions, batches

FIRST = 24  # of the tags
SOURCES = [Source([FIRST, *range(4, 5 + place), EOS], [EOS, FIRST + 1 + place % 2], 12) for place in range(12)]
BOTH = (TransformersTranslator, CTranslate2Translator)


def translated(engine, folder, sources, ids=(EOS, EOS, PAD), **search):
    """Translate in batches; return the translator and its completions in the order of the sources."""
    stated = BeamSearch(**search)
    translator = engine(TranslatorOptions("seq2seq", folder, stated, *ids, threads=1))
    completions = {}
    for places in batches(sources, stated):
        completions.update(zip(places, translator.translate([sources[place] for place in places]), strict=True))
    return translator, [completions[place] for place in range(len(sources))]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(request, tmp_path_factory):
    return saved(tmp_path_factory.mktemp(request.param), request.param)


def test_greedy_translations_are_those_of_transformers_with_their_log_probabilities(model):
    (_, ours), (_, theirs) = (translated(engine, model, SOURCES, beams=1) for engine in BOTH)
    assert [each[:2] for each in theirs] == [each[:2] for each in ours]
    assert [each.log_probability for each in theirs] == pytest.approx([each.log_probability for each in ours], abs=1e-3)


@pytest.mark.parametrize("beams", [1, 4])
def test_a_madlad_whose_output_layer_is_not_its_embedding_is_computed_as_transformers_does(tmp_path, beams):
    folder, sources = saved(tmp_path, "t5"), [source._replace(start=[BOS]) for source in SOURCES]
    (_, ours), (_, theirs) = (translated(engine, folder, sources, (BOS, EOS, PAD), beams=beams) for engine in BOTH)
    assert [each[:2] for each in theirs] == [each[:2] for each in ours]
    assert [each.log_probability for each in theirs] == pytest.approx([each.log_probability for each in ours], abs=1e-3)


@pytest.mark.parametrize("length_penalty", [0.5, 1.0, 2.0])
def test_what_is_known_by_heart_is_the_same_with_beams(tmp_path_factory, length_penalty):
    folder = tmp_path_factory.getbasetemp() / "nllb-by-heart"
    tokenizer = translators.nllb_tokenizer()
    if not folder.is_dir():
        translators.build(folder, tokenizer, translators.CODES, "{}")
    english, eos = tokenizer.convert_tokens_to_ids("eng_Latn"), tokenizer.eos_token_id
    sources = [
        Source(
            [english, *tokenizer(text, add_special_tokens=False)["input_ids"], eos],
            [eos, tokenizer.convert_tokens_to_ids(translators.CODES[short])],
            20,
        )
        for text, others in translators.SENTENCES.items()
        for short in others
    ]
    ids = (eos, eos, tokenizer.pad_token_id)
    (_, ours), (_, theirs) = (
        translated(engine, folder, sources, ids, length_penalty=length_penalty) for engine in BOTH
    )
    assert [each[:2] for each in theirs] == [each[:2] for each in ours]
    assert [each.log_probability for each in theirs] == pytest.approx([each.log_probability for each in ours], abs=1e-3)
    texts = [tokenizer.decode(each.tokens, skip_special_tokens=True).strip() for each in theirs]
    assert texts == [text for others in translators.SENTENCES.values() for text in others.values()]


def test_neighbours_change_no_translation(model):
    translator, together = translated(CTranslate2Translator, model, SOURCES)
    assert [translator.translate([source])[0].tokens for source in SOURCES] == [each.tokens for each in together]


def test_a_long_source_is_read_whole(model):
    # By default CTranslate2 cuts sources behind 1,024 tokens; here those of 32 are the longest.
    sources = [Source([FIRST, *[4] * (POSITIONS - 3), last, EOS], [EOS, FIRST + 1], 12) for last in (5, 6)]
    _, completions = translated(CTranslate2Translator, model, sources, beams=1)
    assert completions[0].log_probability != pytest.approx(completions[1].log_probability, abs=1e-6)


def test_an_adapter_is_refused(model, tmp_path):
    translator, _ = translated(CTranslate2Translator, model, [])
    with pytest.raises(EngineError, match="attaches no adapters; write engine: transformers, or merge it"):
        translator.use(tmp_path)


def test_a_search_that_it_does_otherwise_is_refused(model):
    with pytest.raises(EngineError, match=r"generate\.beam_search\.no_repeat_ngram: CTranslate2 computes other"):
        translated(CTranslate2Translator, model, [], no_repeat_ngram=2)
