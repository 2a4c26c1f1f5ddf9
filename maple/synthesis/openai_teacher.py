"""A teacher behind any OpenAI-compatible endpoint."""

import json

from maple.engines.ledger import ledger
from maple.engines.openai_endpoint import DECIDES, OpenAIEndpoint, body_of
from maple.runtime.journal import Journal, key_of
from maple.synthesis.teachers import SAMPLING as ALPACA
from maple.synthesis.teachers import Request, Unfinished, answer_of


class OpenAITeacher:
    """A teacher by the protocol of maple.synthesis.teachers, for one dataset in one language.

    `settings` are the dataset's `openai:` block and `file`, where that block stands. A request that fails for good is
    Unfinished("no answer"), one that ends on its length limit Unfinished("cut off"). Raises
    maple.engines.openai_endpoint.EndpointError when a cap is reached or nothing is answered.
    """

    def __init__(self, settings: dict, journal: Journal):
        self.settings = {**dict.fromkeys(DECIDES), **ALPACA, **settings}
        self.name = self.settings["model"]
        self.journal = journal
        self.endpoint = OpenAIEndpoint(settings, journal)

    def complete(self, requests: list[Request]) -> list[str | Unfinished]:
        """Return one answer a request, in their order; those that the journal holds are not asked again.

        Nor are those that failed for good.
        """
        known, decides = self.endpoint.known, [self.settings[name] for name in DECIDES]
        keys = [key_of(decides, request.prompt, request.id, request.seed) for request in requests]
        missing = {
            key: {**body_of(request.prompt, self.settings), "seed": request.seed}
            for key, request in zip(keys, requests, strict=True)
            if key not in known
        }
        self.endpoint.ask(missing, len(requests))
        spent = ledger(known.values())
        print(f"{self.name}: {len(missing)} of {len(requests)} requests sent; in all {json.dumps(spent)}")
        return [answer_of(known[key]) for key in keys]
