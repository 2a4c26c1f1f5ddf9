"""Engines that read pictures: each prompt is answered alone or among others as its model itself answers it."""

import pytest
from toy_vision import EOS, PAD, WITH_VIDEOS, build, draw, encoder, picture, processor

from maple.engines.engine import EngineError, EngineOptions, PromptPictures
from maple.engines.launch import start_on
from maple.engines.start import choose, start
from maple.methods import model_folder
from maple.models import vision
from maple.models.vision_parts import ARCHITECTURES
from maple.models.vision_pictures import PictureProcessor, open_picture
from maple.runtime.pictures import PictureError, grey_picture

pytestmark = pytest.mark.heavy
NAMES = ["idefics3", "llava", "paligemma", "gemma3", "qwen2_vl", "qwen2_5_vl", "smolvlm", "llava_next", "qwen3_vl"]
ALL = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vision")
    # The attention of vLLM on a CPU has no heads of 16.
    return {name: build(name, folder / name, **({"head_dim": 32} if name == "idefics3" else {})) for name in NAMES}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A red square, a blue circle that is higher than wide, and a green square that is wider than high."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn = (("square", "red", (40, 40)), ("circle", "blue", (30, 60)), ("square", "green", (64, 32)))
    return [picture(draw(folder / f"{colour}.png", shape, colour, size)) for shape, colour, size in drawn]


@pytest.fixture
def readable(monkeypatch):
    """Let the processors of all architectures be read from their folders: Qwen's want torchvision."""
    of = PictureProcessor.of

    def read(folder, **settings):
        return PictureProcessor(processor(folder.name)) if folder.name in WITH_VIDEOS else of(folder, **settings)

    monkeypatch.setattr(PictureProcessor, "of", read)


def options(base, **changes):
    values = {"batch": 4, "max_length": 256, "eos": EOS, "pad": PAD, "threads": 1, "kind": "vision"}
    return EngineOptions(base, **{**values, **changes})


class Asked:
    """Prompts about pictures, of one model."""

    def __init__(self, name, base, *questions):
        asked = encoder(name, base)
        self.questions = questions
        self.tokens = [asked.prompt(text, files) for text, files in questions]
        self.pictures = [
            PromptPictures(tuple(files), asked.short_prompt(text, files)) if files else None
            for text, files in questions
        ]
        self.continuations = asked.answers(["ab", "c", "xyz", "b", "d"])[: len(questions)]

    def of(self, running, limit=6):
        return running.complete(self.tokens, [limit] * len(self.tokens), self.pictures)

    def alone(self, running, limit=6):
        return [
            running.complete([tokens], [limit], [shown])[0]
            for tokens, shown in zip(self.tokens, self.pictures, strict=True)
        ]


def questions(name, pictures):
    """Five questions of several lengths about one picture, two, the same one, and none."""
    red, blue, green = pictures
    asked = [("what?", [red]), ("what is it there?", [blue, green]), ("what?", [blue]), ("and the form?", [red])]
    return asked if name == "paligemma" else [*asked, ("no picture", [])]


def assert_same(completions, others):
    assert [completion[:2] for completion in completions] == [completion[:2] for completion in others]
    log_probabilities = [completion.log_probability for completion in others]
    assert [completion.log_probability for completion in completions] == pytest.approx(log_probabilities, abs=1e-3)


@ALL
def test_an_answer_depends_on_its_pictures_and_not_on_its_neighbours(name, bases, pictures, readable):
    running, asked = start("transformers", options(bases[name])), Asked(name, bases[name], *questions(name, pictures))
    together = asked.of(running)
    assert_same(together, asked.alone(running))
    assert_same(asked.of(start("transformers", options(bases[name], batch=2))), together)
    assert together[0].log_probability != pytest.approx(together[2].log_probability, abs=1e-2), "other pictures"
    likelihoods = running.log_likelihoods(asked.tokens, asked.continuations, asked.pictures)
    alone = [
        running.log_likelihoods([tokens], [more], [shown])[0]
        for tokens, more, shown in zip(asked.tokens, asked.continuations, asked.pictures, strict=True)
    ]
    assert likelihoods == pytest.approx(alone, abs=1e-3)


def own_inputs(name, text, files):
    """What the model's own processor makes of a question."""
    made, images = processor(name), [open_picture(file) for file in files]
    before, after = ARCHITECTURES[name].around
    shown = f"{before}{made.image_token}{after}" * len(files)
    written = f"{shown}{text}" if name == "paligemma" else f"{shown}\n{text}\n"
    inputs = made(images=[images], text=[written], return_tensors="pt")
    return {key: values for key, values in inputs.items() if key != "labels"}  # which PaliGemma's makes, too


@ALL
def test_a_greedy_answer_is_the_model_s_own_to_its_processor_s_inputs(name, bases, pictures, readable):
    running = start("transformers", options(bases[name]))
    asked = Asked(name, bases[name], *questions(name, pictures)[:4])
    for completion, (text, files) in zip(asked.of(running), asked.questions, strict=True):
        inputs = own_inputs(name, text, files)
        length = inputs["input_ids"].shape[1]
        own = running.model.generate(
            **inputs, max_new_tokens=6, do_sample=False, eos_token_id=sorted(running.ends), pad_token_id=PAD
        )
        own = own[0, length:].tolist()
        own = own[: next((place for place, token in enumerate(own) if token in running.ends), None)]
        assert completion.tokens == own


@ALL
def test_the_log_probability_of_an_answer_is_the_likelihood_of_its_tokens(name, bases, pictures, readable):
    running, asked = start("transformers", options(bases[name])), Asked(name, bases[name], *questions(name, pictures))
    whole = []
    for tokens, shown, answer in zip(asked.tokens, asked.pictures, asked.of(running, 3), strict=True):
        written = [*answer.tokens, *([] if answer.finish_reason == "length" else [EOS])]
        if running.reader.processor.token not in written:  # which no model can read behind its pictures
            whole.append(running.log_likelihoods([tokens], [written], [shown])[0])
            assert whole[-1] == pytest.approx(answer.log_probability, abs=1e-3)
    assert whole


@ALL
def test_a_likelihood_is_the_log_softmax_by_hand(name, bases, pictures, readable):
    import torch

    running, asked = start("transformers", options(bases[name])), Asked(name, bases[name], *questions(name, pictures))
    likelihoods = running.log_likelihoods(asked.tokens, asked.continuations, asked.pictures)
    for (text, files), more, likelihood in zip(asked.questions[:4], asked.continuations, likelihoods, strict=False):
        inputs = own_inputs(name, text, files)
        length = inputs["input_ids"].shape[1]
        ids = torch.cat([inputs["input_ids"], torch.tensor([more])], dim=1)
        types = {key: torch.zeros_like(ids) for key in inputs if key.endswith("token_type_ids")}
        for key, values in types.items():
            values[:, :length] = inputs[key]
        if name == "paligemma":
            types["token_type_ids"][:, length:] = 1
        with torch.inference_mode():
            logits = running.model(
                **{**inputs, **types, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
            ).logits
        steps = logits[0].float().log_softmax(-1)
        by_hand = sum(float(steps[length - 1 + place, token]) for place, token in enumerate(more))
        assert likelihood == pytest.approx(by_hand, abs=1e-3)


@ALL
def test_instead_of_a_picture_a_blind_model_sees_a_grey_one_of_its_size(name, bases, pictures, readable, tmp_path):
    red, blue, green = pictures
    files = []
    for number, file in enumerate((red, blue)):
        grey_picture(open_picture(file)).save(tmp_path / f"{number}.png")
        files.append(picture(tmp_path / f"{number}.png"))
    running = start("transformers", options(bases[name]))
    grey = Asked(name, bases[name], ("what?", files[:1]), ("what?", [files[1], green]))
    blind = Asked(name, bases[name], ("what?", [red._replace(grey=True)]), ("what?", [blue._replace(grey=True), green]))
    assert blind.of(running) == grey.of(running)
    seeing = Asked(name, bases[name], ("what?", [red]), ("what?", [blue, green]))
    assert [one.log_probability for one in seeing.of(running)] != pytest.approx(
        [one.log_probability for one in blind.of(running)], abs=1e-2
    )


def test_a_picture_that_is_missing_or_another_one_is_an_error_with_its_name(bases, pictures, tmp_path):
    draw(tmp_path / "one.png", "square", "red")
    file = picture(tmp_path / "one.png")
    asked, running = (
        Asked("idefics3", bases["idefics3"], ("a?", [file])),
        start("transformers", options(bases["idefics3"])),
    )
    draw(tmp_path / "one.png", "square", "blue")
    with pytest.raises(PictureError, match=r"picture one\.png has the SHA-256 \w+, not \w+"):
        asked.of(running)
    (tmp_path / "one.png").unlink()
    with pytest.raises(PictureError, match=r"picture one\.png is not in"):
        running.log_likelihoods(asked.tokens, asked.continuations, asked.pictures)


def test_a_model_of_text_is_not_asked_about_a_picture(bases, pictures, toy_base):
    running = start("transformers", options(toy_base, kind="causal"))
    asked = Asked("idefics3", bases["idefics3"], ("a?", pictures[:1]))
    with pytest.raises(EngineError, match="a prompt has pictures, and the model reads text alone"):
        asked.of(running)


@pytest.fixture(scope="module")
def adapter(bases, tmp_path_factory):
    """LoRA of the language model of the tiny Idefics3, far from where it starts."""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    layers = rf"{ARCHITECTURES['idefics3'].language_model[0]}\..*\.(q_proj|v_proj|down_proj)"
    config = LoraConfig(r=4, lora_alpha=8, target_modules=layers, task_type=vision.PEFT_TASK)
    network = get_peft_model(vision.load(bases["idefics3"], 16), config)
    for name, parameter in network.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.3)
    folder = tmp_path_factory.mktemp("adapter")
    network.save_pretrained(folder)
    merged = network.merge_and_unload()
    model_folder.save_model(merged, bases["idefics3"], folder / "merged")
    return folder


def answers(running, asked):
    likelihoods = running.log_likelihoods(asked.tokens, asked.continuations, asked.pictures)
    return asked.of(running), likelihoods


def assert_equal(ours, others):
    assert_same(ours[0], others[0])
    assert ours[1] == pytest.approx(others[1], abs=1e-3)


def test_an_attached_adapter_sees_as_its_merged_weights_do(bases, pictures, adapter):
    base = bases["idefics3"]
    asked = Asked("idefics3", base, *questions("idefics3", pictures))
    running = start("transformers", options(base, adapters=[adapter]))
    untouched = answers(running, asked)
    running.use(adapter)
    attached = answers(running, asked)
    assert_equal(attached, answers(start("transformers", options(adapter / "merged")), asked))
    assert attached[1] != pytest.approx(untouched[1], abs=0.1)


def test_vllm_answers_like_transformers_about_pictures_and_with_an_adapter(bases, pictures, adapter):
    if choose("auto") != "vllm":
        pytest.skip("vLLM is not installed, or lacks a library of the system (libnuma1)")
    base = bases["idefics3"]
    asked = Asked("idefics3", base, *questions("idefics3", [*pictures[:2], pictures[2]._replace(grey=True)]))
    ours, theirs = (start(name, options(base, adapters=[adapter])) for name in ("transformers", "vllm"))
    assert_equal(answers(theirs, asked), answers(ours, asked))
    for running in (ours, theirs):
        running.use(adapter)
    assert_equal(answers(theirs, asked), answers(ours, asked))
    asked.tokens[0] = [*asked.tokens[0], 5]
    with pytest.raises(EngineError, match=r"red\.png: vLLM makes a prompt of \d+ tokens .* write engine: transf"):
        asked.of(theirs)


def test_vllm_is_left_out_where_it_needs_torchvision(bases, monkeypatch, capsys):
    monkeypatch.setattr("maple.engines.start.engine_version", lambda name: "vllm 0.32.0")
    for name in set(NAMES) - {"idefics3"}:
        assert choose("auto", bases[name], 64) == "transformers"
        assert f"engine: transformers, since {name} model: vLLM 0.32 needs torchvision" in capsys.readouterr().out


def test_two_copies_of_an_engine_see_like_one(bases, pictures):
    base = bases["idefics3"]
    asked = Asked("idefics3", base, *questions("idefics3", pictures))
    running, copies = start("transformers", options(base)), start_on(2, "transformers", options(base))
    assert_same(asked.of(copies), asked.of(running))
    arguments = (asked.tokens, asked.continuations, asked.pictures)
    assert copies.log_likelihoods(*arguments) == pytest.approx(running.log_likelihoods(*arguments), abs=1e-4)
