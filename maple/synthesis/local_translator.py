"""Translators: sequence-to-sequence models of the Hub (NLLB, M2M100) that turn English into another language.

A text is translated sentence by sentence, its lines kept, and each batch is journaled.
"""

import gc
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import regex

from maple.definitions.tables import PIVOT
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal, batches_to_do, key_of
from maple.synthesis.teachers import TeacherError, Unfinished

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


# These decide a translation, with the model.
SEARCH = {
    "max_length": 512,  # tokens of a sentence, and of its translation: the longest that NLLB was trained on (its card)
    "beams": 1,  # greedy; our choice, for a beam multiplies the time
}
DECIDES = ("model", *SEARCH)
# This does not.
SERVICE = {"batch": 64}  # sentences at once

ENGLISH = {"code": PIVOT, "iso639_1": "en"}
# What stands before the first sentence of a line and is none: indent, bullet, number.
_MARK = regex.compile(r"\s*+(?:(?:[-*•]|\(?\p{N}{1,3}[.)]|\(?\p{L}\))\s++)?+")
# Where an English sentence ends and another begins; not after initials, "e.g." and titles.
_END = regex.compile(
    r"(?<=[\p{L}\p{N}]{2}[.!?]+[\p{Pf}\p{Pe}\"']*)(?<!\b(?:Mr|Mrs|Ms|Dr|St|vs)\.)\s+(?=[\p{Lu}\p{N}\p{Pi}\p{Ps}\"'])"
)
_LETTER = regex.compile(r"\p{L}")
# Scripts whose sentences follow each other without a space.
UNSPACED = ("Hans", "Hant", "Jpan")


class _Line(NamedTuple):
    mark: str
    sentences: list[str]


def lines_of(text: str) -> list[_Line]:
    """Return the lines of an English text: what stands before the first sentence, and the sentences."""
    lines = []
    for line in text.split("\n"):
        mark = _MARK.match(line).group()
        lines.append(_Line(mark, [part for part in _END.split(line[len(mark) :].rstrip()) if part]))
    return lines


def language_token(tokenizer: "PreTrainedTokenizerBase", language: dict, model: str) -> tuple[str, int]:
    """Return what the tokenizer calls a language, and the token of it.

    NLLB knows the codes of FLORES-200 (`swh_Latn`), M2M100 those of ISO 639-1 (`sw`). Raises TeacherError, which names
    language and model, for one that it does not know.
    """
    code, short = language["code"], language["iso639_1"]
    for name, token in ((code, code), (short, f"__{short}__")):
        found = tokenizer.convert_tokens_to_ids(token)
        if found is not None and found != tokenizer.unk_token_id:
            return name, found
    raise TeacherError(
        f"config/models/{model}.yaml: the translator knows neither {code} nor {short}; name another translator, or "
        "take the language out of the dataset's languages"
    )


class LocalTranslator:
    """A translator (teachers.Translator): the sequence-to-sequence model in the Hub-style folder `model`.

    `settings` are the dataset's `translator:` block, with `trust_remote_code` of the model's definition. A text with a
    sentence longer than max_length, or one whose translation is empty, is Unfinished("no answer"); one with a
    translation that does not end within max_length is Unfinished("cut off"). No sentence is cut to be translated.
    """

    def __init__(
        self,
        settings: dict,
        model: str | Path,
        journal: Journal,
        *,
        threads: int,
        progress: Callable[[Iterable], Iterable],
    ):
        from transformers import AutoTokenizer

        self.settings = {**SEARCH, **SERVICE, **settings}
        self.model, self.journal, self.threads, self.progress = model, journal, threads, progress
        self.name = self.settings["model"]
        self.trusted = self.settings.get("trust_remote_code", False)
        self.tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=self.trusted)
        search = [self.settings[name] for name in SEARCH]
        self.decides = [weights_digest(model), f"transformers {version('transformers')}", search]
        self.known = {row["key"]: row for row in journal.read()}

    def translate(self, texts: list[str], language: dict) -> list[str | Unfinished]:
        """Return the translation of each English text; those that the journal holds are not made again."""
        self.tokenizer.src_lang, _ = language_token(self.tokenizer, ENGLISH, self.name)
        _, target = language_token(self.tokenizer, language, self.name)
        split = [lines_of(text) for text in texts]
        sentences = dict.fromkeys(part for lines in split for line in lines for part in line.sentences)
        # Numbers, rules and symbols stay; a model asked to translate them makes things up.
        worded = [sentence for sentence in sentences if _LETTER.search(sentence)]
        tokens = dict(zip(worded, self.tokenizer(worded)["input_ids"] if worded else [], strict=True))
        keys = {
            sentence: key_of(*self.decides, ids, target)
            for sentence, ids in tokens.items()
            if len(ids) <= self.settings["max_length"]
        }
        inputs = {key: tokens[sentence] for sentence, key in keys.items()}
        missing = inputs.keys() - self.known
        print(
            f"{self.name}: {len(missing)} of {len(inputs)} sentences to translate, "
            f"{len(worded) - len(keys)} longer than {self.settings['max_length']} tokens"
        )
        if missing:
            for rows in self.progress(self._rows(inputs, target)):
                self.journal.append(rows)
                self.known.update((row["key"], row) for row in rows)
        said = {
            sentence: self._said(keys.get(sentence)) if sentence in tokens else (sentence, "") for sentence in sentences
        }
        gap = "" if language["script"] in UNSPACED else " "
        answers = []
        for lines in split:
            text = "\n".join(line.mark + gap.join(said[part][0] for part in line.sentences) for line in lines)
            fault = next((said[part][1] for line in lines for part in line.sentences if said[part][1]), "")
            answers.append(Unfinished(fault, text) if fault else text)
        return answers

    def _said(self, key: str | None) -> tuple[str, str]:
        """Return a sentence's translation and its fault; no key is that of one too long."""
        row = self.known.get(key, {"translation": "", "finish_reason": "stop"})
        text = row["translation"].strip()
        return text, "cut off" if row["finish_reason"] == "length" else "" if text else "no answer"

    def _rows(self, inputs: dict[str, list[int]], target: int) -> Iterator[list[dict]]:
        """Yield the journal's rows of sentences that are not known, batch by batch; then the model leaves memory."""
        import torch
        from transformers import AutoModelForSeq2SeqLM, GenerationConfig

        from maple.runtime.devices import compute_dtype, device, prepare

        prepare(self.threads, seed=0)
        model = AutoModelForSeq2SeqLM.from_pretrained(
            self.model,
            dtype=compute_dtype(),
            use_safetensors=True,
            trust_remote_code=self.trusted,
            device_map={"": 0 if device() == "cuda" else "cpu"},
        ).eval()
        pad, eos = self.tokenizer.pad_token_id, self.tokenizer.eos_token_id
        first = model.generation_config.decoder_start_token_id
        # The model's own limit (NLLB's is 200 tokens) and penalties give way to what the dataset says.
        model.generation_config = GenerationConfig()
        how = GenerationConfig(
            decoder_start_token_id=model.config.decoder_start_token_id if first is None else first,
            forced_bos_token_id=target,
            eos_token_id=eos,
            pad_token_id=pad,
            max_new_tokens=self.settings["max_length"],
            num_beams=self.settings["beams"],
            do_sample=False,
        )
        order = sorted(inputs, key=lambda key: (len(inputs[key]), key))
        for batch in batches_to_do(order, self.settings["batch"], self.known):
            width = max(len(inputs[key]) for key in batch)
            ids = [inputs[key] + [pad] * (width - len(inputs[key])) for key in batch]
            mask = [[1] * len(inputs[key]) + [0] * (width - len(inputs[key])) for key in batch]
            with torch.inference_mode():
                output = model.generate(
                    input_ids=torch.tensor(ids, device=model.device),
                    attention_mask=torch.tensor(mask, device=model.device),
                    generation_config=how,
                )
            rows = []
            for key, written in zip(batch, output[:, 2:].tolist(), strict=True):  # after the start and the language
                ended = eos in written
                written = written[: written.index(eos)] if ended else written
                rows.append(
                    {
                        "key": key,
                        "translation": self.tokenizer.decode(written, skip_special_tokens=True),
                        "finish_reason": "stop" if ended else "length",
                        "prompt_tokens": len(inputs[key]),
                        "completion_tokens": len(written),
                    }
                )
            yield rows
        del model
        gc.collect()
        torch.cuda.empty_cache()  # vLLM takes what is free when it starts
