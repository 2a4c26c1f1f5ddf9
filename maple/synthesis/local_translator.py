"""Translators: models of the kind seq2seq (mBART-50, M2M100, NLLB, MADLAD) that turn a language into another.

A text is translated sentence by sentence, its lines kept, and each batch is journaled. Texts that are not English are
translated line by line: where their sentences end is not known here.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import regex

from maple.definitions.language import ENGLISH, LanguageIdentity
from maple.engines.blocks import TranslatorBlock
from maple.engines.journal_rows import is_row
from maple.models import seq2seq
from maple.models.language_tags import UnknownTagError
from maple.models.translation_text import Seq2SeqEncoder
from maple.runtime.devices import prepare
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal, JournaledRows, incomplete_batches, key_of
from maple.synthesis.teachers import Fault, IncompleteAnswer, TeacherError, text_and_fault

if TYPE_CHECKING:
    from transformers import GenerationConfig

# The start of a line before its first sentence: indent, bullet, number.
_MARK = regex.compile(r"\s*+(?:(?:[-*•]|\(?\p{N}{1,3}[.)]|\(?\p{L}\))\s++)?+")
# The space between two English sentences; not after initials, "e.g." and titles.
_END = regex.compile(
    r"(?<=[\p{L}\p{N}]{2}[.!?]+[\p{Pf}\p{Pe}\"']*)(?<!\b(?:Mr|Mrs|Ms|Dr|St|vs)\.)\s+(?=[\p{Lu}\p{N}\p{Pi}\p{Ps}\"'])"
)
_LETTER = regex.compile(r"\p{L}")
# Scripts without a space between sentences.
UNSPACED = ("Hans", "Hant", "Jpan")


class Line(NamedTuple):
    """A line of a text: the mark before its first sentence, and its sentences."""

    mark: str
    sentences: list[str]


def lines_of(text: str, language: str = ENGLISH) -> list[Line]:
    """Return the lines of a text: the mark before the first sentence, and the sentences; of English alone several."""
    lines = []
    for line in text.split("\n"):
        mark = _MARK.match(line)
        start = mark.group() if mark else ""
        rest = line[len(start) :].rstrip()
        lines.append(Line(start, [part for part in (_END.split(rest) if language == ENGLISH else [rest]) if part]))
    return lines


class Translation(NamedTuple):
    """The translation of a sentence; `fault` says why it is incomplete, None if it is not."""

    text: str
    fault: Fault | None = None


class LocalTranslator:
    """A translator (maple.synthesis.teachers.Translator): the sequence-to-sequence model in the folder `model`.

    A text with a sentence longer than max_length, or with an empty translation, is IncompleteAnswer("no answer"); a
    text with a translation that does not end within max_length is IncompleteAnswer("cut off"). No sentence is cut to be
    translated.
    """

    def __init__(
        self,
        settings: TranslatorBlock,
        model: str | Path,
        journal: Journal,
        *,
        threads: int,
        progress: Callable[[Iterable], Iterable],
    ):
        digest = weights_digest(model)  # first of all: refuses a folder of which a file has changed
        self.name = settings.model
        self.rows = JournaledRows(journal, is_row=is_row)
        self._settings, self._model, self._threads, self._progress = settings, model, threads, progress
        self.encoder = Seq2SeqEncoder.of(model, settings.tags, settings.new_tags)
        search = [settings.max_length, settings.beams]
        self._deciding = [digest, f"transformers {version('transformers')}", search]

    def translate(
        self, texts: list[str], language: LanguageIdentity, source: str = ENGLISH
    ) -> list[str | IncompleteAnswer]:
        """Return the translation of each text from `source`; sentences of the journal are not translated again.

        Raises TeacherError, which names language and model, for a language without a tag.
        """
        try:
            start = self.encoder.forced_start(language.code)
            self.encoder.source("", source, language.code)
        except UnknownTagError as error:
            raise TeacherError(
                f"config/models/{self.name}.yaml: {error}; or take the language out of the dataset's languages"
            ) from None
        lines = [lines_of(text, source) for text in texts]
        sentences = dict.fromkeys(part for text in lines for line in text for part in line.sentences)
        translations = self._translations(list(sentences), source, language.code, start)
        return [joined(text, translations, language) for text in lines]

    def texts_and_faults(
        self, texts: list[str], language: LanguageIdentity, source: str = ENGLISH
    ) -> list[tuple[str, str]]:
        """Return what `translate` does, each as a text and its fault, "" if it has none."""
        return [text_and_fault(answer, "empty translation") for answer in self.translate(texts, language, source)]

    def _translations(self, sentences: list[str], source: str, into: str, start: list[int]) -> dict[str, Translation]:
        """Return the translation of each sentence; `start` is what the decoder has before the first word."""
        # Numbers, rules and symbols stay: a model that must translate them makes things up.
        translatable = [sentence for sentence in sentences if _LETTER.search(sentence)]
        tokens = {sentence: self.encoder.source(sentence, source, into) for sentence in translatable}
        keys = {
            sentence: key_of(*self._deciding, ids, start)
            for sentence, ids in tokens.items()
            if len(ids) <= self._settings.max_length
        }
        inputs = {key: tokens[sentence] for sentence, key in keys.items()}
        missing = self.rows.missing(inputs)
        print(
            f"{self.name}: {len(missing)} of {len(inputs)} sentences to translate, "
            f"{len(translatable) - len(keys)} longer than {self._settings.max_length} tokens"
        )
        if missing:
            self.rows.compute(self._batches(inputs, start), self._progress)
        return {
            sentence: self._translation(keys.get(sentence)) if sentence in tokens else Translation(sentence)
            for sentence in sentences
        }

    def _translation(self, key: str | None) -> Translation:
        """Return a sentence's translation from its row; no key is that of a sentence that is too long."""
        if key is None:
            return Translation("", "no answer")
        row = self.rows[key]
        text = row["translation"].strip()
        if row["finish_reason"] == "length":
            return Translation(text, "cut off")
        return Translation(text, None if text else "no answer")

    def _batches(self, inputs: Mapping[str, list[int]], start: list[int]) -> Iterator[list[dict]]:
        """Yield the journal's rows of sentences that have none, batch by batch; then the model is unloaded."""
        import torch

        model, generation = self.load(start)
        pad, eos = self.encoder.pad, self.encoder.eos
        order = sorted(inputs, key=lambda key: (len(inputs[key]), key))
        for batch in incomplete_batches(order, self._settings.batch, self.rows):
            width = max(len(inputs[key]) for key in batch)
            ids = [inputs[key] + [pad] * (width - len(inputs[key])) for key in batch]
            mask = [[1] * len(inputs[key]) + [0] * (width - len(inputs[key])) for key in batch]
            with torch.inference_mode():
                output = model.generate(
                    input_ids=torch.tensor(ids, device=model.device),
                    attention_mask=torch.tensor(mask, device=model.device),
                    generation_config=generation,
                )
            new_tokens = output[:, len(start) :].tolist()
            yield [self._row(key, len(inputs[key]), tokens, eos) for key, tokens in zip(batch, new_tokens, strict=True)]
        del model
        gc.collect()
        torch.cuda.empty_cache()  # vLLM takes all memory that is free when it starts

    def _row(self, key: str, prompt_tokens: int, tokens: list[int], eos: int) -> dict:
        ended = eos in tokens
        tokens = tokens[: tokens.index(eos)] if ended else tokens
        return {
            "key": key,
            "translation": self.encoder.text(tokens),
            "finish_reason": "stop" if ended else "length",
            "prompt_tokens": prompt_tokens,
            "completion_tokens": len(tokens),
        }

    def load(self, start: list[int]) -> "tuple[Any, GenerationConfig]":
        """Return the model (its type has no `generate`), and how it generates text that begins with `start`."""
        from transformers import GenerationConfig

        prepare(self._threads, seed=0)
        model: Any = seq2seq.load(self._model, 16, trust_remote_code=self._settings.trust_remote_code).eval()
        # The dataset's settings replace the model's own limit (NLLB's is 200 tokens) and penalties.
        model.generation_config = GenerationConfig()
        generation = GenerationConfig(
            decoder_start_token_id=start[0],
            forced_bos_token_id=start[1] if len(start) > 1 else None,
            eos_token_id=self.encoder.eos,
            pad_token_id=self.encoder.pad,
            max_new_tokens=self._settings.max_length,
            num_beams=self._settings.beams,
            do_sample=False,
        )
        return model, generation


def joined(
    lines: list[Line], translations: Mapping[str, Translation], language: LanguageIdentity
) -> str | IncompleteAnswer:
    """Return a text from the translations of its sentences."""
    gap = "" if language.script in UNSPACED else " "
    text = "\n".join(line.mark + gap.join(translations[part].text for part in line.sentences) for line in lines)
    faults: list[Fault] = [fault for line in lines for part in line.sentences if (fault := translations[part].fault)]
    return IncompleteAnswer(faults[0], text) if faults else text
