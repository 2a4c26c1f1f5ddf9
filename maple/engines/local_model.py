"""A model that answers texts in this job: by vLLM, which batches continuously, or by transformers in batches.

Every answer is journaled under the digest of what decides it, so that a killed job resumes where it was.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from maple.engines.answerer import Question
from maple.engines.blocks import LocalBlock
from maple.engines.engine import Completion, Engine, EngineError, EngineOptions
from maple.engines.journal_rows import is_row
from maple.engines.launch import start_on
from maple.engines.machine import Machine
from maple.engines.start import engine_version
from maple.models.completion_text import CompletionDecoder
from maple.models.encoding import Encoder
from maple.models.prompt_error import PromptError
from maple.models.special_tokens import has_template
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal, JournaledRows, incomplete_batches, key_of


class _Prompt(NamedTuple):
    tokens: list[int]
    limit: int  # new tokens that it leaves room for
    seed: int
    id: str


class LocalModel:
    """An answerer (maple.engines.answerer.Answerer): the model in the Hub-style folder `model`, run by `engine`.

    A model with a chat template gets a text as one user message, another model the text alone after its BOS. A text
    that leaves no room for an answer is a failure and is never cut; an answer that reaches max_tokens or the model's
    length has finish_reason "length". `machine.gpus` copies of the model share the questions.

    vLLM gets all questions of a call at once, and answers are journaled as they end; a kill loses those that were being
    generated. transformers loses a batch, and resumes to the very same answers.
    """

    def __init__(
        self,
        engine: str,
        settings: LocalBlock,
        model: str | Path,
        journal: Journal,
        *,
        machine: Machine,
        progress: Callable[[Iterable], Iterable],
    ):
        from transformers import AutoConfig

        digest = weights_digest(model)  # first of all: refuses a folder of which a file has changed
        self.name = settings.model
        self.rows = JournaledRows(journal, is_row=is_row)
        self._engine, self._settings, self._model, self._machine = engine, settings, model, machine
        self._progress = progress
        self._is_chat = has_template(Path(model))
        try:
            self.encoder = Encoder.of(
                model,
                "chat" if self._is_chat else "none",
                date=settings.date,
                template_arguments=settings.template_arguments,
                trust_remote_code=settings.trust_remote_code,
            )
        except PromptError as error:
            raise EngineError(f"{settings.file}: {self.name}: {error}") from None
        if not self._is_chat:
            print(f"{self.name}: no chat template; it gets the prompts as they are")
        config = AutoConfig.from_pretrained(model, trust_remote_code=settings.trust_remote_code).get_text_config()
        lengths = (settings.max_length, getattr(config, "max_position_embeddings", None))
        length = min((length for length in lengths if length), default=None)
        if length is None:
            raise EngineError(
                f"{settings.file}: {engine}.max_length: {self.name} does not say how many tokens it takes; "
                "write a number"
            )
        self._length: int = length
        self._max_tokens = settings.max_tokens + settings.thinking_tokens
        self._decoder = CompletionDecoder.of(self.encoder.tokenizer.whole.get_added_tokens_decoder(), self.encoder.text)
        sampling = [settings.temperature, settings.top_p, self._max_tokens]
        self._deciding = [digest, engine_version(engine), sampling, length]
        self._running: Engine | None = None

    def tokens(self, text: str) -> list[int]:
        """Return the prompt of a text, as tokens. Raises EngineError if the model's chat template fails on it."""
        if not self._is_chat:
            return [*self.encoder.start, *self.encoder.piece(text)]
        try:
            return self.encoder.prompt(text)
        except PromptError as error:
            raise EngineError(f"{self._settings.file}: {self.name}: {error}") from None

    def answer(self, questions: Sequence[Question]) -> list[dict]:
        """Return one row per question, in the order given; the journal's, answered or not, are not computed again."""
        keys, prompts = [], {}
        for question in questions:
            tokens = self.tokens(question.text)
            keys.append(key_of(*self._deciding, tokens, question.id, question.seed))
            limit = min(self._max_tokens, self._length - len(tokens))
            prompts[keys[-1]] = _Prompt(tokens, limit, question.seed, question.id)
        print(f"{self.name}: {len(self.rows.missing(keys))} of {len(questions)} requests to answer")
        self.rows.compute(self._batches(prompts), self._progress)
        return [self.rows[key] for key in keys]

    def _batches(self, prompts: Mapping[str, _Prompt]) -> Iterator[list[dict]]:
        """Yield the journal's rows of the prompts that have none, batch by batch."""
        too_long = self.rows.missing(key for key, prompt in prompts.items() if prompt.limit < 1)
        if too_long:
            yield [{"key": key, "failure": f"prompt of {len(prompts[key].tokens)} tokens"} for key in too_long]
        order = sorted(
            (key for key, prompt in prompts.items() if prompt.limit > 0),
            key=lambda key: (prompts[key].limit, len(prompts[key].tokens), key),
        )
        size = self._settings.batch * max(1, self._machine.gpus)
        if self._engine == "vllm":
            missing = self.rows.missing(order)
            chunks = [missing] if missing else []
        else:
            chunks = incomplete_batches(order, size, self.rows)
        for keys in chunks:
            samples = self._started().sample(
                [prompts[key].tokens for key in keys],
                [prompts[key].limit for key in keys],
                [prompts[key].seed for key in keys],
                self._settings.temperature,
                self._settings.top_p,
            )
            while completions := list(islice(samples, size)):
                yield [self._row(keys[place], prompts[keys[place]], completion) for place, completion in completions]

    def _row(self, key: str, prompt: _Prompt, completion: Completion) -> dict:
        if not math.isfinite(completion.log_probability):
            raise EngineError(
                f"config/models/{self.name}.yaml: the answer to {prompt.id} has the log-probability "
                f"{completion.log_probability}: the model computes no numbers; take other weights, or the other engine"
            )
        opened_by, cut = self._decoder.opening_mark(prompt.tokens), completion.finish_reason == "length"
        return {
            "key": key,
            "text": self._decoder.text(completion.tokens),
            "opened_by": opened_by,
            "thinking_tokens": self._decoder.thinking_tokens(completion.tokens, opened_by=opened_by, cut=cut),
            "finish_reason": completion.finish_reason,
            "prompt_tokens": len(prompt.tokens),
            "completion_tokens": len(completion.tokens),
            "usd": 0.0,
        }

    def _started(self) -> Engine:
        if self._running is None:
            settings = EngineOptions(
                model=self._model,
                batch=self._settings.batch,
                max_length=self._length,
                eos=self.encoder.tokenizer.eos,
                pad=self.encoder.pad,
                threads=self._machine.threads,
                cpu_cache_gib=self._settings.cpu_cache_gib,
                trust_remote_code=self._settings.trust_remote_code,
            )
            self._running = start_on(max(1, self._machine.gpus), self._engine, settings)
        return self._running
