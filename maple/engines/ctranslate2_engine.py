"""Translators by CTranslate2: models that are whole or merged, since it attaches no adapters.

Greedy, its outputs are those of transformers. With beams a part may differ, since other hypotheses have ended when the
search stops: none of a model that knows its texts by heart, 9 to 20 of 60 of models with random weights (4.8.5, default
search). maple.evaluation.translation counts them in each run.
"""

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from maple.definitions.generation import BeamSearch
from maple.engines.engine import Completion, EngineError
from maple.engines.translator import Source, TranslatorOptions
from maple.runtime.devices import compute_dtype, device, prepare

if TYPE_CHECKING:
    from ctranslate2.specs import TransformerSpec

# CTranslate2's converters by transformers' type of model.
LOADERS = {"mbart": "MBartLoader", "m2m_100": "M2M100Loader", "t5": "T5Loader"}


def reason_against_search(search: BeamSearch) -> str | None:
    """Return why CTranslate2 (4.8) does not search so; None if it does."""
    if search.early_stopping is not True:
        return (
            "early_stopping: CTranslate2 ends with as many finished hypotheses as beams; write true, or engine: "
            "transformers"
        )
    if not search.length_penalty and search.beams > 1:
        return "length_penalty: with 0 CTranslate2 ends earlier; write another number, or engine: transformers"
    if search.repetition_penalty != 1 or search.no_repeat_ngram:
        # It penalizes logits, and gives the probability of a token that is ruled out to the others.
        key = "no_repeat_ngram" if search.no_repeat_ngram else "repetition_penalty"
        return f"{key}: CTranslate2 computes other probabilities with it; write 0 and 1, or engine: transformers"
    return None


class CTranslate2Translator:
    """CTranslate2's beam search (maple.engines.translator.Translator)."""

    def __init__(self, options: TranslatorOptions):
        import ctranslate2

        prepare(options.threads, seed=0)
        if reason := reason_against_search(options.search):
            raise EngineError(f"generate.beam_search.{reason}")
        arithmetic = str(compute_dtype(options.dtype)).removeprefix("torch.")
        with TemporaryDirectory() as converted:
            spec = specification(options.load("float32").cpu(), options)
            spec.validate()
            spec.optimize(quantization=arithmetic)
            spec.save(converted)
            del spec
            gc.collect()
            self._translator = ctranslate2.Translator(
                converted, device=device(), compute_type=arithmetic, inter_threads=1, intra_threads=options.threads
            )
        self.search, self._eos = options.search, options.eos
        self.seconds = 0.0
        self.info: dict[str, str | int] = {"dtype": self._translator.compute_type}

    def use(self, adapter: str | Path) -> None:
        """Refuse an adapter: none can be attached."""
        raise EngineError(f"{adapter}: CTranslate2 attaches no adapters; write engine: transformers, or merge it")

    def translate(self, sources: Sequence[Source]) -> list[Completion]:
        """Translate a batch; its first start token is the model's, the others are a prefix of each translation."""
        begin = time.perf_counter()
        results = self._translator.translate_batch(
            [_named(source.tokens) for source in sources],
            target_prefix=[_named(source.start[1:]) for source in sources],
            beam_size=self.search.beams,
            patience=1,
            num_hypotheses=1,
            length_penalty=float(self.search.length_penalty) if self.search.beams > 1 else 0,
            coverage_penalty=0,
            repetition_penalty=1,
            no_repeat_ngram_size=0,
            max_input_length=0,  # none: by default it cuts sources behind 1,024 tokens
            max_decoding_length=sources[0].limit + len(sources[0].start) - 1,  # with the prefix
            min_decoding_length=0,
            return_scores=True,
            return_end_token=True,
        )
        completions = [self._completion(source, result) for source, result in zip(sources, results, strict=True)]
        self.seconds += time.perf_counter() - begin
        return completions

    def _completion(self, source: Source, result: Any) -> Completion:
        tokens = list(map(int, result.hypotheses[0][len(source.start) - 1 :]))
        ended = tokens[-1:] == [self._eos]
        # The score is the mean that the length penalty makes of the log-probability, the prefix counting in the length.
        length = len(result.hypotheses[0])
        scale = length ** float(self.search.length_penalty) if self.search.beams > 1 else 1
        words = tokens[:-1] if ended else tokens
        return Completion(words, "stop" if ended else "length", result.scores[0] * scale)


def _named(tokens: Sequence[int]) -> list[str]:
    return list(map(str, tokens))


def specification(model: Any, options: TranslatorOptions) -> "TransformerSpec":
    """Return a translator of transformers as CTranslate2 stores it; its tokens are named by their ids.

    So no tokenizer is read: CTranslate2's own reading of one fails on mBART-50's without a BOS (transformers 5), and
    adds words to M2M100's. Raises EngineError for a type of model that is not in LOADERS.
    """
    from ctranslate2.converters import transformers as converters

    model_type = model.config.model_type
    if model_type not in LOADERS:
        raise EngineError(
            f"generate.engine: ctranslate2: its conversion of {model_type} models was not tried, only of "
            f"{', '.join(LOADERS)}; write transformers"
        )
    if model_type == "mbart":
        # What every mBART of transformers is; its converter wants to read it in the config, as published ones have it.
        for key in ("normalize_before", "normalize_embedding", "add_final_layer_norm"):
            setattr(model.config, key, True)
    if model_type == "t5":
        # Its converter scales logits where the config ties embeddings. transformers 5 says so of every T5, MADLAD
        # included, and scales by another key.
        model.config.tie_word_embeddings = model.config.scale_decoder_outputs
    spec = getattr(converters, LOADERS[model_type])().get_model_spec(model)
    names = _named(range(model.config.vocab_size))
    spec.register_source_vocabulary(names)
    spec.register_target_vocabulary(names)
    spec.config.bos_token = spec.config.decoder_start_token = str(options.start)
    spec.config.eos_token, spec.config.unk_token = str(options.eos), str(options.pad)  # no source has an unknown token
    return spec
