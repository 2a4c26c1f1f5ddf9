"""Beam search of toy translators, whose random weights make some translations end and others not."""

import json
import math
import random

import pytest
from toy_translators import ARCHITECTURES, BOS, EOS, PAD, POSITIONS, TAGS, VOCABULARY, saved

from maple.definitions.generation import BeamSearch
from maple.engines.translator import Source, TransformersTranslator, TranslatorOptions, batches

FIRST, SWAHILI = len(VOCABULARY) - len(TAGS), len(VOCABULARY) - len(TAGS) + 1
# No two alike, of 1 to 15 words; half of them into another language than the others.
DRAW = random.Random(1)
SOURCES = [
    Source(
        [FIRST, *(DRAW.randrange(4, FIRST) for _ in range(DRAW.randrange(1, 16))), EOS], [EOS, SWAHILI + place % 2], 12
    )
    for place in range(12)
]
# The type of the model, and its search.
CASES = {
    "default": ("mbart", {}),
    "greedy": ("mbart", {"beams": 1}),
    "late": ("mbart", {"early_stopping": False, "length_penalty": 0.5}),
    "penalties": ("mbart", {"no_repeat_ngram": 2, "repetition_penalty": 1.3}),
    "greedy penalties": ("mbart", {"beams": 1, "no_repeat_ngram": 2, "repetition_penalty": 1.3}),
    "m2m_100": ("m2m_100", {}),
    "never": ("m2m_100", {"early_stopping": "never", "length_penalty": 0.5}),
    "t5": ("t5", {"length_penalty": 0.5}),
}


def translator(folder, **search):
    return TransformersTranslator(TranslatorOptions("seq2seq", folder, BeamSearch(**search), EOS, EOS, PAD, threads=1))


def translations(translator, sources=SOURCES):
    """Translate in the batches of the search; return the completions in the order of the sources."""
    completions = {}
    for places in batches(sources, translator.search):
        completions.update(zip(places, translator.translate([sources[place] for place in places]), strict=True))
    return [completions[place] for place in range(len(sources))]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {name: saved(tmp_path_factory.mktemp(name), name) for name in (*ARCHITECTURES, "t5")}


@pytest.fixture(scope="module")
def model(models):
    return models["mbart"]


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def case(request, models):
    """A translator, the sources that it reads, and its translations in batches."""
    name, search = request.param
    of_model = translator(models[name], **search)
    sources = [source._replace(start=[BOS]) for source in SOURCES] if name == "t5" else SOURCES
    return of_model, sources, translations(of_model, sources)


def test_padding_and_neighbours_change_no_translation(case):
    of_model, sources, together = case
    alone = [of_model.translate([source])[0] for source in sources]
    assert [each.tokens for each in together] == [each.tokens for each in alone]
    assert [each.finish_reason for each in together] == [each.finish_reason for each in alone]
    assert len({tuple(each.tokens) for each in together}) > 3


def test_a_translation_ends_by_itself_or_at_its_limit(model):
    for source, completion in zip(SOURCES, ended := translations(translator(model)), strict=True):
        assert completion.finish_reason == "stop" or len(completion.tokens) == source.limit
        assert EOS not in completion.tokens and len(completion.tokens) <= source.limit
    assert {each.finish_reason for each in ended} == {"stop", "length"}


def test_a_translation_is_what_generate_finds_with_the_same_search(case):
    import torch
    from transformers import GenerationConfig

    of_model, sources, together = case
    search = of_model.search
    of_model.model.generation_config = GenerationConfig()  # mBART's forces EOS at the limit
    for source, completion in zip(sources, together, strict=True):
        output = of_model.model.generate(
            input_ids=torch.tensor([source.tokens]),
            decoder_start_token_id=source.start[0],
            forced_bos_token_id=next(iter(source.start[1:]), None),
            eos_token_id=EOS,
            pad_token_id=PAD,
            max_new_tokens=source.limit + len(source.start) - 1,  # with the tag
            num_beams=search.beams,
            length_penalty=float(search.length_penalty),
            early_stopping=search.early_stopping,
            no_repeat_ngram_size=search.no_repeat_ngram,
            repetition_penalty=float(search.repetition_penalty),
        )
        new = output[0].tolist()[len(source.start) :]
        assert completion.tokens == (new[: new.index(EOS)] if EOS in new else new)


def test_a_log_probability_is_that_which_the_model_gives_the_translation_when_it_reads_it(case):
    import torch

    of_model, sources, together = case
    for source, completion in zip(sources, together, strict=True):
        ends = [EOS] if completion.finish_reason == "stop" else []
        ids, first = [*source.start, *completion.tokens, *ends], len(source.start)
        with torch.inference_mode():
            read = of_model.model(input_ids=torch.tensor([source.tokens]), decoder_input_ids=torch.tensor([ids]))
        of_words = read.logits[0].double().log_softmax(-1)
        expected = sum(float(of_words[place - 1, ids[place]]) for place in range(first, len(ids)))
        assert completion.log_probability == pytest.approx(expected, abs=1e-4)


def test_the_search_is_the_one_that_is_stated_whatever_the_model_s_own_config_says(model, tmp_path):
    expected = translations(translator(model))
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((model / name).read_bytes())
    own = {
        "num_beams": 2, "length_penalty": 3.0, "early_stopping": False, "max_length": 5, "no_repeat_ngram_size": 1,
        "repetition_penalty": 5.0, "forced_bos_token_id": 7, "forced_eos_token_id": EOS, "min_length": 9,
        "bad_words_ids": [[8]], "suppress_tokens": [9], "num_return_sequences": 2, "decoder_start_token_id": BOS,
    }  # fmt: skip
    (tmp_path / "generation_config.json").write_text(json.dumps(own))
    assert translations(translator(tmp_path)) == expected


def test_more_beams_find_what_is_no_less_likely_most_of_the_time(model):
    greedy, five = (translations(translator(model, beams=beams, length_penalty=0)) for beams in (1, 5))
    better = [one.log_probability <= other.log_probability + 1e-6 for one, other in zip(greedy, five, strict=True)]
    assert sum(better) >= 0.9 * len(better)
    assert any(one.tokens != other.tokens for one, other in zip(greedy, five, strict=True))


def test_a_translation_repeats_no_bigram_that_it_must_not(model):
    for completion in translations(translator(model, no_repeat_ngram=2)):
        bigrams = list(zip(completion.tokens, completion.tokens[1:], strict=False))
        assert len(set(bigrams)) == len(bigrams)


def test_the_tag_of_the_target_is_no_token_of_a_translation_and_decides_it(model):
    of_model = translator(model, beams=1)
    into = [
        [of_model.translate([source._replace(start=[EOS, tag])])[0] for source in SOURCES] for tag in (SWAHILI, FIRST)
    ]
    assert sum(one.tokens != other.tokens for one, other in zip(*into, strict=True)) > 2
    # Both are forced as well if one batch has translations into several languages.
    both = of_model.translate([SOURCES[0]._replace(start=[EOS, tag]) for tag in (SWAHILI, FIRST)])
    assert [each.tokens for each in both] == [of_language[0].tokens for of_language in into]


def test_a_batch_takes_at_most_its_tokens_with_padding_and_beams():
    search = BeamSearch(beams=3, batch_tokens=120)
    cut = batches(SOURCES, search)
    assert sorted(place for places in cut for place in places) == list(range(len(SOURCES)))
    for places in cut:
        longest = max(len(SOURCES[place].tokens) for place in places)
        assert longest * len(places) * 3 <= 120 or len(places) == 1
    lengths = [len(SOURCES[place].tokens) for places in cut for place in places]
    assert lengths == sorted(lengths, reverse=True)


def test_a_source_that_is_longer_than_a_batch_comes_alone():
    assert batches([SOURCES[0], SOURCES[1]], BeamSearch(batch_tokens=1)) in ([[0], [1]], [[1], [0]])


def test_sources_of_other_limits_or_starts_are_in_other_batches():
    source = Source([FIRST, 4, EOS], [EOS, SWAHILI], 9)
    others = [source, source._replace(limit=8), source._replace(start=[EOS]), source._replace(start=[EOS, SWAHILI + 1])]
    assert sorted(map(sorted, batches(others, BeamSearch()))) == [[0, 3], [1], [2]]


def test_batches_of_what_a_killed_job_left_are_those_of_an_undisturbed_one():
    search = BeamSearch(batch_tokens=200)
    cut = batches(SOURCES, search)
    left = sorted(place for places in cut[2:] for place in places)
    again = batches([SOURCES[place] for place in left], search)
    assert [[left[place] for place in places] for places in again] == cut[2:]


def test_a_model_that_computes_no_number_says_so_by_the_log_probability(tmp_path):
    folder = saved(tmp_path, ends=math.nan)
    assert all(math.isnan(each.log_probability) for each in translations(translator(folder), SOURCES[:3]))


SMALL = {"prefix_length": 5, "bottleneck_size": 16}
LINEAR = {"target_modules": "all-linear"}
# UNIPELT with `gate: sequence` is left out: a gate over all that the decoder has read changes with each token.
ADAPTERS = {
    "HOULSBY": ("HOULSBY", {"reduction_factor": 4}),
    "inversion": ("HOULSBY", {"reduction_factor": 4, "inversion": True}),
    "PARALLEL": ("PARALLEL", {}),
    "COMPACTER": ("COMPACTER", {"reduction_factor": 4}),
    "PREFIX_ATTENTION": ("PREFIX_ATTENTION", SMALL),
    "MAM": ("MAM", SMALL),
    "UNIPELT": ("UNIPELT", SMALL),
    "LORA": ("LORA", {"r": 4, "lora_alpha": 8, **LINEAR}),
    "IA3": ("IA3", {"target_modules": ["k_proj", "v_proj", "fc2"], "feedforward_modules": ["fc2"]}),
    "PREFIX_TUNING": ("PREFIX_TUNING", {"num_virtual_tokens": 4}),
    "PROMPT_TUNING": ("PROMPT_TUNING", {"num_virtual_tokens": 4}),
    "P_TUNING": ("P_TUNING", {"num_virtual_tokens": 4, "encoder_hidden_size": 64}),
}


def save_adapter(model, name, folder):
    """Save an adapter of random weights, near those that it begins with."""
    import torch
    from toy_training import variant

    from maple.methods import peft_method
    from maple.models.seq2seq import load

    peft, adapter = ADAPTERS[name]
    folder.mkdir(exist_ok=True)
    network = peft_method.attach(load(model, 16), variant(peft, 16, adapter), "SEQ_2_SEQ_LM", folder)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    peft_method.save(network, model, folder)


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_attached_adapter_translates_as_it_reads_and_without_regard_to_neighbours(model, tmp_path, name):
    import torch

    save_adapter(model, name, tmp_path)
    of_model = translator(model)
    base = translations(of_model)
    of_model.use(tmp_path)
    sources = [source for source in SOURCES if len(source.tokens) < POSITIONS - 6]
    together = translations(of_model, sources)
    assert [each.tokens for each in together] != [each.tokens for each in base]
    for source, completion in zip(sources, together, strict=True):
        assert of_model.translate([source])[0].tokens == completion.tokens
        ends = [EOS] if completion.finish_reason == "stop" else []
        ids, first = [*source.start, *completion.tokens, *ends], len(source.start)
        with torch.inference_mode():
            read = of_model.model(input_ids=torch.tensor([source.tokens]), decoder_input_ids=torch.tensor([ids]))
        of_words = read.logits[0, -len(ids) :].double().log_softmax(-1)
        expected = sum(float(of_words[place - 1, ids[place]]) for place in range(first, len(ids)))
        assert completion.log_probability == pytest.approx(expected, abs=1e-3)


def test_adapters_are_attached_in_turn_and_change_translations(model, tmp_path):
    import torch
    from peft import LoraConfig, get_peft_model

    from maple.models.seq2seq import load

    for seed in (1, 2):
        torch.manual_seed(seed)
        config = LoraConfig(task_type="SEQ_2_SEQ_LM", r=2, target_modules=["q_proj", "v_proj", "fc1"])
        network = get_peft_model(load(model, 16), config)
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.normal_(std=0.3)
        network.save_pretrained(tmp_path / f"{seed}")
    of_model = translator(model)
    base = translations(of_model)
    of_model.use(tmp_path / "1")
    first = translations(of_model)
    of_model.use(tmp_path / "2")
    second = translations(of_model)
    of_model.use(tmp_path / "1")
    assert translations(of_model) == first
    assert len({tuple(tuple(each.tokens) for each in of_one) for of_one in (base, first, second)}) == 3
    alone = [of_model.translate([source])[0].tokens for source in SOURCES]
    assert alone == [each.tokens for each in first]


def test_adapters_of_every_type_are_attached_in_turn_and_leave_nothing_behind(model, tmp_path):
    in_turn, sources = translator(model), [source for source in SOURCES if len(source.tokens) < POSITIONS - 6]
    for name in ADAPTERS:
        save_adapter(model, name, tmp_path / name)
        in_turn.use(tmp_path / name)
        alone = translator(model)
        alone.use(tmp_path / name)
        assert translations(in_turn, sources) == translations(alone, sources), name
