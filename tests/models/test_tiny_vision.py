"""Tiny vision-language models: they are built, learn to tell two pictures apart, and are bases like others."""

import pytest
from toy_vision import draw, example, picture

from maple.definitions.local_model import BuildSettings, BuiltModel
from maple.embedded.lesson import PictureLesson
from maple.models import vision
from maple.models.example import MASKED
from maple.models.stored_weights import check_stored_weights, stored_tensors
from maple.models.tiny import BaseError
from maple.models.vision_parts import parameters_by_part
from maple.runtime.files import read_json
from maple.runtime.pictures import PictureError

TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": True,
}  # fmt: skip
SEEN = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
ARCHITECTURES = {
    "idefics3": {"model_type": "idefics3", "scale_factor": 2, "vision_config": SEEN},
    "llava": {"model_type": "llava", "vision_config": SEEN | {"model_type": "siglip_vision_model"}},
    "llava with CLIP": {"model_type": "llava", "vision_config": SEEN | {"model_type": "clip_vision_model"}},
}
EACH = pytest.mark.parametrize("name", ARCHITECTURES)


def model(name, steps=120, length=48):
    build = {
        "vocabulary": 300,
        "architecture": {"tie_word_embeddings": True, "text_config": TEXT, **ARCHITECTURES[name]},
        "documents": 2,
        "tasks": ["name-thing"],
        "training": {"steps": steps, "batch": 4, "length": length, "learning_rate": 5e-3, "seed": 1},
    }
    return BuiltModel(kind="vision", frame="none", build=build)


def questions(folder):
    """Two pictures, and what they show."""
    red, blue = draw(folder / "red.png", "square", "red"), draw(folder / "blue.png", "circle", "blue")
    return [
        PictureLesson(red.read_bytes(), "What is it?", "a red square"),
        PictureLesson(blue.read_bytes(), "What is it?", "a blue circle"),
    ]


@pytest.mark.parametrize("model_type", ["idefics3", "llava"])
def test_a_model_that_reads_pictures_is_of_its_own_kind(model_type):
    build = model(model_type).build.params()
    with pytest.raises(ValueError, match=f"model_type: {model_type} is of the kind vision; write kind: vision"):
        BuiltModel(kind="causal", build=build)


def test_a_model_that_reads_pictures_names_tasks_to_learn_them_from_and_no_other_does():
    build = model("llava").build.params()
    with pytest.raises(ValueError, match=r"tasks: write tasks with drawn pictures, as \[name-thing\]"):
        BuildSettings(**build | {"tasks": []})
    llama = build | {"architecture": {"model_type": "llama"}}
    with pytest.raises(ValueError, match="others have neither tasks nor read"):
        BuildSettings(**llama | {"tasks": [], "read": ["clock-hour"]})
    with pytest.raises(ValueError, match="others have neither tasks nor read"):
        BuildSettings(**llama)
    with pytest.raises(ValueError, match="languages: only a translator and a model that reads pictures have them"):
        BuildSettings(**llama | {"tasks": [], "languages": ["deu_Latn"]})


@pytest.mark.heavy
@EACH
def test_a_tiny_model_learns_what_is_in_two_pictures_and_is_a_base_like_others(name, tmp_path):
    definition, folder = model(name), tmp_path / "base"
    asked = questions(tmp_path)
    made = vision.build(definition.build, asked, folder, threads=1, progress=iter)
    assert made == read_json(folder / "build.json") and made["last_loss"] < 0.5 < 2 < made["first_loss"]
    vision.prepare_tokenizer(folder, definition.special_tokens)
    check_stored_weights(folder, vision)
    network, encoder = vision.load(folder, 16).eval(), vision.encoder_of(folder, definition)
    assert made["parameters"] == sum(parameters_by_part(network).values())
    files = [tmp_path / "red.png", tmp_path / "blue.png"]
    rows = [example(one.answer, file, question=one.question) for one, file in zip(asked, files, strict=True)]
    encoded = [vision.encode(row, encoder) for row in rows]
    assert made["tokens"] == 120 * 4 * sum(map(len, encoded)) / 2
    for one in encoded:
        answer = one.labels[one.labels != MASKED].tolist()
        assert vision.completion_logits(network, one).argmax(-1).tolist() == answer


@pytest.mark.heavy
@EACH
def test_the_picture_has_the_tokens_of_its_patches_and_the_tower_the_names_of_the_hub(name, tmp_path):
    definition, folder = model(name, steps=1), tmp_path / "base"
    vision.build(definition.build, questions(tmp_path), folder, threads=1, progress=iter)
    encoder = vision.encoder_of(folder, definition)
    prompt = encoder.prompt("What is it?", [picture(tmp_path / "red.png")])
    # 4 x 4 patches of 8 x 8. Idefics3 makes one token of four; two tokens are around them, and one says: all of it.
    pictured = [5, 6, *[4] * 4, 5] if name == "idefics3" else [4] * 16
    assert prompt[: 1 + len(pictured)] == [1, *pictured]
    names = [name for name in stored_tensors(folder) if "vision" in name]
    level = "model.vision_model." if name == "idefics3" else "vision_tower.vision_model."
    assert names and all(one.startswith(level) for one in names)
    assert encoder.tokenizer.text(encoder.piece("Zürich 天 ፫")) == "Zürich 天 ፫", "bytes: no character is unknown"


@pytest.mark.heavy
def test_questions_that_are_all_too_long_are_refused(tmp_path):
    with pytest.raises(BaseError, match=r"build\.training\.length: no question with its picture has up to 8 tokens"):
        vision.build(model("llava", length=8).build, questions(tmp_path), tmp_path / "base", threads=1, progress=iter)


@pytest.mark.heavy
def test_a_picture_that_is_damaged_is_named_by_its_number(tmp_path):
    asked = questions(tmp_path)
    asked[1] = asked[1]._replace(picture=asked[1].picture[:60])
    with pytest.raises(PictureError, match="lesson 1 is cut or damaged"):
        vision.build(model("llava").build, asked, tmp_path / "base", threads=1, progress=iter)
