"""Vision-language models: what they read of text and pictures, what is learnt, and that the tower stays as it is."""

import json
import shutil
from dataclasses import replace

import pytest
from toy_vision import (
    BOS,
    CONFIGS,
    EOS,
    IMAGE,
    PAD,
    WITH_VIDEOS,
    build,
    draw,
    encoder,
    example,
    opening,
    picture,
    processor,
)

from maple.models import vision
from maple.models.example import MASKED
from maple.models.prompt_error import PromptError
from maple.models.stored_weights import check_stored_weights
from maple.models.tiny import BaseError
from maple.models.vision_parts import ARCHITECTURES, HEAD, check_adapted, whole_modules
from maple.models.vision_pictures import collate, open_picture
from maple.models.vision_text import VisionEncoder
from maple.runtime.pictures import PictureError
from maple.training.batches import encode, masked

pytestmark = pytest.mark.heavy
NAMES = list(CONFIGS)
ALL = pytest.mark.parametrize("name", NAMES)
SAVED = pytest.mark.parametrize("name", [name for name in NAMES if name not in WITH_VIDEOS])
CHATML = (
    "{% for message in messages %}[{{ message.role }}]{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}</s>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A tiny model of each architecture, by its name."""
    folder = tmp_path_factory.mktemp("vision")
    return {name: build(name, folder / name) for name in NAMES}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A red square, a blue circle that is higher than wide, and a green square that is wider than high."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn = (("square", "red", (40, 40)), ("circle", "blue", (30, 60)), ("square", "green", (64, 32)))
    return [draw(folder / f"{colour}.png", shape, colour, size) for shape, colour, size in drawn]


def encoded(name, base, *rows):
    asked = encoder(name, base)
    return [vision.encode(row, asked) for row in rows]


def shown(example):
    """The number of tokens of pictures in an example."""
    return sum(example.input_ids == example.pictures.processor.token)


@ALL
def test_the_prompt_is_what_the_processor_makes_of_the_same_text(name, bases, pictures):
    made = processor(name)
    for files in (pictures[:1], pictures[1:]):
        text = "what is it?"
        named = [picture(file) for file in files]
        ours, opened = encoder(name, bases[name]).prompt(text, named), [open_picture(each) for each in named]
        before, after = ARCHITECTURES[name].around
        placeholders = f"{before}{made.image_token}{after}" * len(files)
        written = f"{placeholders}{text}" if name == "paligemma" else f"{placeholders}\n{text}\n"
        assert ours == made(images=[opened], text=[written])["input_ids"][0]


@pytest.mark.parametrize("name", ["idefics3", "llava", "qwen2_vl"])
def test_a_short_prompt_has_one_placeholder_where_the_other_has_all_tokens_of_a_picture(name, bases, pictures):
    asked, named = encoder(name, bases[name]), [picture(file) for file in pictures[:2]]
    tokens = [asked.tokenizer.encode_rendered(asked.pictures.expansion(each)) for each in named]
    short, expanded = asked.short_prompt("a?", named), []
    for token in short:
        expanded += tokens.pop(0) if token == asked.pictures.token else [token]
    assert short.count(asked.pictures.token) == 2 and expanded == asked.prompt("a?", named)
    with pytest.raises(PictureError, match="a token of a picture"):
        asked.short_prompt(f"{asked.pictures.placeholder}?", named)


@ALL
def test_the_answer_and_its_end_are_learnt_and_neither_prompt_nor_picture(name, bases, pictures):
    (one,) = encoded(name, bases[name], example("ab", pictures[0]))
    a = 14 + ord("a") - 32
    assert one.input_ids[-3:].tolist() == one.labels[-3:].tolist() == [a, a + 1, EOS]
    assert set(one.labels[:-3].tolist()) == {MASKED} and shown(one) > 0
    assert (one.units, one.completion_tokens) == (2, 3)
    assert one.input_ids.tolist().count(BOS) == 1


@ALL
def test_a_picture_has_as_many_tokens_as_the_model_makes_of_it(name, bases, pictures):
    import torch

    model = vision.load(bases[name], 16)
    for file in pictures:
        (one,) = encoded(name, bases[name], example("ab", file))
        batch = collate([one], PAD)
        read = ("pixel_values", "image_sizes", "pixel_attention_mask", "image_grid_thw")
        with torch.no_grad():
            features = model.get_image_features(**{key: batch[key] for key in read if key in batch}).pooler_output
        number = sum(len(each) for each in features) if isinstance(features, list | tuple) else features[..., 0].numel()
        assert number == shown(one)


@ALL
def test_padding_and_neighbours_change_no_loss(name, bases, pictures):
    import torch

    model = vision.load(bases[name], 16).eval()
    rows = [example("ab", pictures[0]), example("c", pictures[1], pictures[2]), example("abcdefgh", pictures[2])]
    rows += [] if name == "paligemma" else [example("no picture")]
    examples = encoded(name, bases[name], *rows)
    with torch.no_grad():
        losses, numbers = vision.losses(model, collate(examples, PAD))
        together = [losses[numbers == number] for number in range(len(rows))]
        alone = [vision.losses(model, collate([each], PAD))[0] for each in examples]
        whole = [
            -vision.completion_logits(model, each).log_softmax(-1)[
                range(each.completion_tokens), each.labels[each.labels != MASKED]
            ]
            for each in examples
        ]
    for one, other, logits in zip(together, alone, whole, strict=True):
        assert (one - other).abs().max() < 1e-4 and (one - logits).abs().max() < 1e-4


@ALL
def test_the_loss_is_the_model_s_own_on_the_completion_and_depends_on_the_picture(name, bases, pictures):
    import torch

    model = vision.load(bases[name], 16).eval()
    batch = collate(encoded(name, bases[name], example("ab", pictures[0]), example("c", pictures[0])), PAD)
    with torch.no_grad():
        losses, rows = vision.losses(model, batch)
        expected = model(**batch).loss
        other, _ = vision.losses(model, batch | {"pixel_values": batch["pixel_values"].flip(-1) - 0.5})
    assert rows.tolist() == [0, 0, 0, 1, 1]
    assert losses.mean().item() == pytest.approx(expected.item(), abs=1e-5)
    assert (losses - other).abs().max() > 1e-3


@ALL
def test_a_frozen_tower_is_equal_to_the_bit_after_training(name, bases, pictures):
    import torch
    from peft import LoraConfig, get_peft_model

    model = vision.load(bases[name], 16)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    layers = rf"{ARCHITECTURES[name].language_model[0]}\..*\.(q_proj|v_proj)"
    keys = {"target_modules": layers, "modules_to_save": whole_modules(model, "connector")}
    tuned = get_peft_model(model, LoraConfig(r=2, task_type=vision.PEFT_TASK, **keys)).train()
    check_adapted(tuned, ["language_model", "connector"])
    trained = [each for each in tuned.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    batch = collate(encoded(name, bases[name], example("ab", pictures[0]), example("c", *pictures[:2])), PAD)
    losses = []
    for _ in range(4):
        loss = vision.losses(tuned, batch)[0].mean()
        losses.append(loss.item())
        loss.backward()
        assert all(each.grad is not None and each.grad.isfinite().all() for each in trained)
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    merged = tuned.merge_and_unload().state_dict()
    changed = {key for key in before if not torch.equal(before[key], merged[key])}
    parts = {ARCHITECTURES[name].part_of(key) or HEAD for key in changed}
    assert parts == {"language_model", "connector"}


@ALL
def test_every_weight_of_the_model_is_in_its_files(name, bases):
    check_stored_weights(bases[name], vision)


@SAVED
def test_saved_and_loaded_it_has_the_same_logits(name, bases, pictures, tmp_path):
    import torch

    from maple.methods.model_folder import save_model

    model = vision.load(bases[name], 16).eval()
    save_model(model, bases[name], tmp_path)
    again = vision.load(tmp_path, 16).eval()
    (one,), (other,) = (encoded(name, base, example("ab", pictures[1])) for base in (bases[name], tmp_path))
    assert torch.equal(vision.completion_logits(model, one), vision.completion_logits(again, other))


def test_an_example_that_is_too_long_is_left_out_whole(bases, pictures):
    import polars as pl

    rows = pl.DataFrame([example("ab", pictures[0]), example("ab", *pictures)])
    # 1 + 16 tokens of a picture, 13 of the text with its lines, 3 of the answer; the second row has 32 more.
    fitting, too_long = encode(rows, vision, encoder("llava", bases["llava"]), max_length=33)
    assert (len(fitting), too_long, len(fitting[0])) == (1, 1, 33)
    (whole,), _ = encode(rows[1:], vision, encoder("llava", bases["llava"]), max_length=65)
    assert len(whole) == 65 and shown(whole) == 3 * 16


def test_a_masked_row_has_no_loss(bases, pictures):
    model = vision.load(bases["idefics3"], 16)
    (one,) = encoded("idefics3", bases["idefics3"], example("ab", pictures[0]))
    losses, rows = vision.losses(model, collate([masked(one)], PAD))
    losses.sum().backward()
    assert rows.tolist() == [] and not any(each.grad is not None and each.grad.any() for each in model.parameters())


def test_rows_are_not_packed(bases):
    with pytest.raises(ValueError, match="each example with pictures is a row"):
        collate([], PAD, packing=True)
    assert not vision.PACKS and vision.separate_packed_examples(None, 10) == "each example with pictures is a row: " + (
        "packing them was not measured"
    )


@pytest.mark.parametrize("key", ["instruction", "output"])
def test_two_image_tokens_for_one_picture_are_refused(key, bases, pictures):
    row = example("ab", pictures[0])
    row[key] = f"<image> {row[key]}"
    with pytest.raises(
        PictureError, match=r"^'<image> .* spells <image>, .*, and the row has 1 pictures \(.*red\.png\)"
    ):
        encoded("llava", bases["llava"], row)


def test_a_text_that_spells_another_control_token_is_text(bases, pictures):
    (one,) = encoded("llava", bases["llava"], example("</s>", pictures[0], question="<global-img><s>"))
    assert one.input_ids.tolist().count(EOS) == one.input_ids.tolist().count(BOS) == 1
    assert one.completion_tokens == len("</s>") + 1 and shown(one) == 16


def test_in_turns_the_template_writes_one_placeholder_for_each_picture(bases, pictures, tmp_path):
    folder = shutil.copytree(bases["llava"], tmp_path / "base")
    (folder / "chat_template.jinja").write_text(CHATML)
    asked = VisionEncoder.of(folder, "chat")
    prompt, learnt = asked.example("a?", "b", [picture(file) for file in pictures[:2]])
    letters = asked.tokenizer.encode_rendered
    assert prompt == [BOS, *letters("[user]"), *[IMAGE] * 32, *letters("a?</s>[assistant]")]
    assert learnt == [*letters("b"), EOS] and asked.eos == EOS
    assert asked.example("a?", "b", [])[0] == [BOS, *letters("[user]a?</s>[assistant]")]
    (folder / "chat_template.jinja").write_text(CHATML.replace("<image>", "<image><image>"))
    with pytest.raises(PromptError, match="the chat template writes <image> 2 times for 1 pictures"):
        VisionEncoder.of(folder, "chat").prompt("a?", [picture(pictures[0])])


def test_what_a_template_marks_as_generated_is_learnt_behind_all_tokens_of_the_pictures(bases, pictures, tmp_path):
    folder = shutil.copytree(bases["llava"], tmp_path / "base")
    marked = (
        "{% for message in messages %}[{{ message.role }}]{% if message.role == 'assistant' %}"
        "{% generation %}{{ message.content[0].text }}</s>{% endgeneration %}{% else %}"
        "{% for part in message.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
        "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    (folder / "chat_template.jinja").write_text(marked)
    asked = VisionEncoder.of(folder, "chat")
    prompt, learnt = asked.example("a?", "b", [picture(file) for file in pictures[:2]])
    letters = asked.tokenizer.encode_rendered
    assert prompt == [BOS, *letters("[user]"), *[IMAGE] * 32, *letters("a?[assistant]")]
    assert learnt == [*letters("b"), EOS]


def test_a_file_that_has_become_another_one_is_refused_when_it_is_read(bases, pictures, tmp_path):
    file = shutil.copyfile(pictures[0], tmp_path / "one.png")
    (one,) = encoded("smolvlm", bases["smolvlm"], example("ab", file))
    shutil.copyfile(pictures[1], file)
    with pytest.raises(PictureError, match=r"picture one\.png has the SHA-256 \w+, not \w+ as its row says"):
        collate([one], PAD)
    file.unlink()
    with pytest.raises(PictureError, match=r"picture one\.png is not in .*; put it there"):
        collate([one], PAD)


def test_a_picture_that_has_another_number_of_tokens_than_its_row_is_refused(bases, pictures):
    asked = encoder("smolvlm", bases["smolvlm"])
    one, two = (picture(file) for file in pictures[:2])
    asked = opening(asked, lambda _: open_picture(one))
    row = vision.encode(example("ab", pictures[0]), asked)
    moved = replace(row.pictures, processor=opening(asked, lambda _: open_picture(two)).pictures)
    with pytest.raises(PictureError, match=r"red\.png: \d+ tokens of pictures, and \d+ in the row; restore the file"):
        collate([replace(row, pictures=moved)], PAD)


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_a_file_that_is_no_picture_is_refused_by_name(content, bases, pictures, tmp_path):
    (tmp_path / "torn.png").write_bytes(pictures[0].read_bytes()[:90] if content is None else content)
    with pytest.raises(PictureError, match=r"picture torn\.png is (no whole picture in one of|cut or damaged)"):
        encoded("llava", bases["llava"], example("ab", tmp_path / "torn.png"))


def test_no_pixel_is_kept_and_pictures_are_opened_when_a_batch_is_made(bases, pictures):
    opened = []

    def counted(named):
        opened.append(named)
        return open_picture(named)

    one = vision.encode(example("ab", pictures[0]), opening(encoder("llava", bases["llava"]), counted))
    assert one.pictures.files == (picture(pictures[0]),) and len(opened) == 1
    collate([one, one], PAD)
    assert opened == [picture(pictures[0])] * 3


@SAVED
def test_a_prepared_folder_is_in_step_and_stays_so(name, bases, tmp_path):
    folder = shutil.copytree(bases[name], tmp_path / "base")
    vision.prepare_tokenizer(folder, {})
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    vision.prepare_tokenizer(folder, {})
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_old_chat_template_of_the_processor_becomes_the_tokenizer_s_and_its_end_of_turn_ends_an_answer(
    bases, tmp_path
):
    folder = shutil.copytree(bases["llava"], tmp_path / "base")
    template = CHATML.replace("</s>", "<end_of_utterance>")
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    vision.prepare_tokenizer(folder, {})
    assert (folder / "chat_template.jinja").read_text() == template and not (folder / "chat_template.json").exists()
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == [EOS, 7]


@pytest.mark.parametrize(
    ("name", "file", "key", "value", "told"),
    [
        ("idefics3", "processor_config.json", "image_seq_len", 5, "image_seq_len: 5 tokens .* the model makes 4"),
        ("llava", "config.json", "image_token_index", 9, "the model reads pictures at the token 9, .* writes 4"),
    ],
)
def test_a_processor_that_is_of_another_model_is_refused(name, file, key, value, told, bases, tmp_path):
    folder = shutil.copytree(bases[name], tmp_path / "base")
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | {key: value}))
    with pytest.raises(BaseError, match=told):
        vision.prepare_tokenizer(folder, {})


@pytest.mark.parametrize("name", ["qwen2_vl", "idefics3"])
def test_a_folder_without_a_processor_of_pictures_is_refused(name, bases, tmp_path):
    folder = shutil.copytree(bases[name], tmp_path / "base")
    (folder / "processor_config.json").unlink(missing_ok=True)
    with pytest.raises(BaseError, match="processor of pictures"):
        vision.prepare_tokenizer(folder, {})


def test_smolvlm_s_own_processor_would_write_the_same():
    from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

    ours = processor("smolvlm")
    for rows, columns in ((0, 0), (1, 1), (2, 3)):
        inputs = {"rows": [[rows]], "cols": [[columns]]}
        theirs = get_image_prompt_string(rows, columns, 4, "<fake_token_around_image>", "<image>", "<global-img>")
        assert ours.replace_image_token(inputs, 0) == theirs
