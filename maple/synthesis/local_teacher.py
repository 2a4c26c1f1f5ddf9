"""A teacher that is a model on this machine: by vLLM, which batches continuously, or by transformers in batches.

Every answer is journaled under the digest of what decides it, so that a killed job asks on where it was.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from maple.engines.engine import Engine
from maple.engines.ledger import ledger
from maple.engines.start import engine_version, start
from maple.runtime.fingerprint import weights_digest
from maple.runtime.journal import Journal, batches_to_do, key_of
from maple.synthesis.teachers import SAMPLING, Request, TeacherError, Unfinished, answer_of

# These decide an answer, with the model.
DRAWING = {
    **SAMPLING,
    "max_length": None,  # tokens of prompt and answer; null: as many as the model has positions for
}
DECIDES = ("model", *DRAWING)
# How it is run; none of these decides an answer.
SERVICE = {
    "batch": 64,  # sequences at once; as `generate` has it
    "cpu_cache_gib": 4,  # vLLM's key-value cache on a CPU: 16 thousand tokens of Mistral 7B in float32
}


class _Prompt(NamedTuple):
    tokens: list[int]
    limit: int  # new tokens that it leaves room for
    seed: int


class LocalTeacher:
    """A teacher (teachers.Teacher): the model in the Hub-style folder `model`, run by `engine`.

    `settings` are the dataset's block of the engine's name, with `trust_remote_code` of the model's definition and
    `file`, where the block stands. A model with a chat template gets a prompt as one user message, another one the
    prompt alone after its BOS. A prompt that leaves no room for an answer is Unfinished("no answer") and never cut; an
    answer that reaches max_tokens or the model's length is Unfinished("cut off").

    vLLM gets all requests of a call together and answers are journaled as they come, in batches; what is lost to a kill
    is what was being written. transformers loses a batch, and goes on to the very same answers.
    """

    def __init__(
        self,
        engine: str,
        settings: dict,
        model: str | Path,
        journal: Journal,
        *,
        threads: int,
        progress: Callable[[Iterable], Iterable],
    ):
        from transformers import AutoConfig, AutoTokenizer

        self.settings = {**DRAWING, **SERVICE, **settings}
        self.engine, self.model, self.journal, self.threads, self.progress = engine, model, journal, threads, progress
        self.name = self.settings["model"]
        self.trusted = self.settings.get("trust_remote_code", False)
        self.tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=self.trusted)
        if self.tokenizer.eos_token_id is None:
            raise TeacherError(f"config/models/{self.name}.yaml: the model has no eos_token and could end no answer")
        config = AutoConfig.from_pretrained(model, trust_remote_code=self.trusted).get_text_config()
        lengths = (self.settings["max_length"], getattr(config, "max_position_embeddings", None))
        self.length = min((length for length in lengths if length), default=None)
        if self.length is None:
            raise TeacherError(
                f"{self.settings['file']}: {engine}.max_length: {self.name} does not say how many tokens it takes; "
                "write a number"
            )
        drawing = [self.settings[name] for name in SAMPLING]
        self.decides = [weights_digest(model), engine_version(engine), drawing, self.length]
        self.known = {row["key"]: row for row in journal.read()}
        self._running: Engine | None = None
        if self.tokenizer.chat_template is None:
            print(f"{self.name}: no chat template; it gets the prompts as they are")

    def complete(self, requests: list[Request]) -> list[str | Unfinished]:
        """Return one answer a request, in their order; those that the journal holds are not asked again."""
        keys, prompts = [], {}
        for request in requests:
            tokens = self._tokens(request.prompt)
            keys.append(key_of(*self.decides, tokens, request.id, request.seed))
            limit = min(self.settings["max_tokens"], self.length - len(tokens))
            prompts[keys[-1]] = _Prompt(tokens, limit, request.seed)
        missing = prompts.keys() - self.known
        print(f"{self.name}: {len(missing)} of {len(requests)} requests to answer")
        for rows in self.progress(self._rows(prompts)):
            self.journal.append(rows)
            self.known.update((row["key"], row) for row in rows)
        print(f"{self.name}: in all {json.dumps(ledger(self.known.values()))}")
        return [answer_of(self.known[key]) for key in keys]

    def _tokens(self, prompt: str) -> list[int]:
        if self.tokenizer.chat_template is not None:
            message = [{"role": "user", "content": prompt}]
            return self.tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=False)
        start = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        return start + self.tokenizer(prompt, add_special_tokens=False)["input_ids"]

    def _rows(self, prompts: dict[str, _Prompt]) -> Iterator[list[dict]]:
        """Yield the journal's rows of the prompts that are not known, batch by batch."""
        too_long = [key for key, prompt in prompts.items() if prompt.limit < 1 and key not in self.known]
        if too_long:
            yield [{"key": key, "failure": f"prompt of {len(prompts[key].tokens)} tokens"} for key in too_long]
        order = sorted(
            (key for key, prompt in prompts.items() if prompt.limit > 0),
            key=lambda key: (prompts[key].limit, len(prompts[key].tokens), key),
        )
        if self.engine == "vllm":
            missing = [key for key in order if key not in self.known]
            pieces = [missing] if missing else []
        else:
            pieces = batches_to_do(order, self.settings["batch"], self.known)
        for piece in pieces:
            drawn = self._started().sample(
                [prompts[key].tokens for key in piece],
                [prompts[key].limit for key in piece],
                [prompts[key].seed for key in piece],
                self.settings["temperature"],
                self.settings["top_p"],
            )
            while completions := list(islice(drawn, self.settings["batch"])):
                yield [
                    {
                        "key": piece[place],
                        "text": self.tokenizer.decode(
                            said.tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
                        ),
                        "finish_reason": said.finish_reason,
                        "prompt_tokens": len(prompts[piece[place]].tokens),
                        "completion_tokens": len(said.tokens),
                        "usd": 0.0,
                    }
                    for place, said in completions
                ]

    def _started(self) -> Engine:
        if self._running is None:
            eos, pad = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id
            settings = {**self.settings, "max_length": self.length, "trust_remote_code": self.trusted}
            self._running = start(
                self.engine, self.model, settings, eos=eos, pad=eos if pad is None else pad, threads=self.threads
            )
        return self._running
