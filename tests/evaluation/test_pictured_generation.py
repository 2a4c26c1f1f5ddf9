"""Prompts with pictures: their keys, their blind answers, and jobs that answer them, whole or killed."""

import shutil
from functools import partial

import polars as pl
import pytest
from toy_generation import SETTINGS, Echo, check_kills, prompts, run
from toy_vision import build, draw, encoder, picture
from tqdm import tqdm

from maple.data.examples import PICTURE_COLUMN
from maple.definitions.task import PromptSpec
from maple.engines import vllm_engine
from maple.engines.blocks import EndpointBlock
from maple.engines.machine import Machine
from maple.evaluation.asked_model import Weights
from maple.evaluation.completions import COMPLETION_SCHEMA, RunOutputs
from maple.evaluation.generation import fill_journals, generate
from maple.models.behaviour import behaviour_of
from maple.models.kind import KINDS
from maple.models.picture_file import PictureFile
from maple.models.sight import sees
from maple.runtime.pictures import PictureError

VISION = {"frame": "none", "kind": "vision"}


class Sighted(Echo):
    """Remembers the pictures of each prompt; answers with the last letter of the question."""

    def __init__(self):
        super().__init__()
        self.files = []

    def complete(self, prompts, limits, pictures=(), stops=()):
        self.files += [shown.files if shown else () for shown in pictures]
        return super().complete(prompts, limits)

    def log_likelihoods(self, prompts, continuations, pictures=()):
        self.files += [shown.files if shown else () for shown in pictures]
        return super().log_likelihoods(prompts, continuations)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build("idefics3", tmp_path_factory.mktemp("vision") / "base")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A red and a blue square of one size, and a green one that is wider."""
    folder = tmp_path_factory.mktemp("pictures")
    sizes = {"red": (40, 40), "blue": (40, 40), "green": (64, 32)}
    return [picture(draw(folder / f"{colour}.png", "square", colour, size)) for colour, size in sizes.items()]


def pictured(frame, *rows):
    """Prompts with the pictures of each row."""
    values = [[{"file": one.file, "digest": one.digest} for one in row] for row in rows]
    return frame.with_columns(pl.Series("pictures", values, **{"dtype": PICTURE_COLUMN["pictures"]}))


def keys(completed):
    return completed["key"].to_list()


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_of_a_kind_reads_pictures_if_its_facts_say_so(kind):
    assert sees(kind) == KINDS[kind].sees == hasattr(behaviour_of(kind), "picture_reader")


def test_vllm_takes_as_many_pictures_as_a_task_may_have():
    (bound,) = (each.max_length for each in PromptSpec.model_fields["pictures"].metadata if hasattr(each, "max_length"))
    assert bound == vllm_engine.MOST_PICTURES


@pytest.mark.heavy
def test_a_key_knows_the_pictures_by_their_content_and_order(base, pictures, tmp_path):
    red, blue, green = pictures
    rows = ([red], [blue], [red, green], [green, red], [])
    engine = Sighted()
    completed, counts = run(base, pictured(prompts(*"aaaaa"), *rows), tmp_path, engine, asked=VISION)
    assert len(set(keys(completed))) == 5 == counts.computed
    assert sorted(engine.files) == sorted(map(tuple, rows))
    moved = [one._replace(file=str(shutil.copyfile(one.file, tmp_path / f"{one.digest}.png"))) for one in (red, blue)]
    again, counts = run(
        base,
        pictured(prompts("a", "a"), [moved[0]], [moved[1]]),
        tmp_path / "other",
        None,
        completed.select(list(COMPLETION_SCHEMA)),
        asked=VISION,
    )
    assert keys(again) == keys(completed)[:2] and counts.carried_over == 2, "where a picture lies decides nothing"
    assert "pictures" not in completed.columns


@pytest.mark.heavy
def test_a_blind_answer_is_computed_once_for_pictures_of_one_size(base, pictures, tmp_path):
    red, blue, green = pictures
    engine = Sighted()
    frame = pictured(prompts(*"aaa", answers=["generate", "blind"]), [red], [blue], [green])
    completed, counts = run(base, frame, tmp_path, engine, asked=VISION)
    assert completed["answer"].to_list() == ["generate", "blind"] * 3
    assert (counts.prompts, counts.distinct) == (6, 5)
    (one, grey), (other, same), (wide, wide_grey) = zip(keys(completed)[::2], keys(completed)[1::2], strict=True)
    assert grey == same and len({one, other, wide, grey, wide_grey}) == 5
    assert sorted(file.grey for (file,) in engine.files) == [False] * 3 + [True] * 2
    assert set(completed["completion"]) == {"a"} and set(completed["finish_reason"]) == {"stop"}


@pytest.mark.heavy
def test_all_tokens_of_its_pictures_count_for_a_prompt(base, pictures, tmp_path):
    completed, _ = run(
        base, pictured(prompts("a", "a", "a"), [], pictures[:1], pictures[:2]), tmp_path, Sighted(), asked=VISION
    )
    plain, one, two = completed["prompt_tokens"]
    assert two - one == len(
        encoder("idefics3", base).tokenizer.encode_rendered(
            "<fake_token_around_image>" * 2 + "<global-img>" + "<image>" * 4
        )
    )
    asked, counts = run(
        base, pictured(prompts("a"), pictures), tmp_path / "short", Sighted(), asked=VISION, max_length=plain + 10
    )
    assert asked["finish_reason"].to_list() == ["too_long"] and counts.too_long == 1


@pytest.mark.heavy
def test_a_model_that_sees_is_asked_texts_with_demonstrations_as_others_are(base, tmp_path):
    shown = {"demonstrations": [{"prompt": "b", "answer": "c"}]}
    seeing, blind = Sighted(), Echo()
    run(base, prompts("a", **shown), tmp_path, seeing, asked=VISION)
    run(base, prompts("a", **shown), tmp_path / "text", blind, asked={"frame": "none"})
    assert seeing.prompts == blind.prompts and seeing.files == []


@pytest.mark.heavy
def test_answers_ranks_and_blind_answers_about_pictures_do_not_depend_on_the_batch(base, pictures, tmp_path):
    choice = {"labels": ["x", "y"], "verbalizers": [["red"], ["blue"]], "answers": ["generate", "rank", "blind"]}
    frame = pictured(prompts("what?", "which colour?", "a", "b", **choice), *([one] for one in pictures), [])
    read = {}
    for batch in (1, 4):
        run_outputs = RunOutputs({"eng_Latn": tmp_path / f"{batch}.parquet"}, tmp_path / f"{batch}.jsonl")
        settings = SETTINGS.changed(engine="transformers", batch=batch, max_length=128, flip_sample=8)
        (card,) = generate(
            frame,
            Weights(base, **VISION),
            [run_outputs],
            settings=settings,
            machine=Machine(),
            progress=partial(tqdm, disable=True),
        )
        assert (card.counts.compared_alone, card.counts.flipped) == (7, 0), "the prompt without a picture is asked once"
        read[batch] = pl.read_parquet(tmp_path / f"{batch}.parquet")
    one, four = read[1], read[4]
    assert one["token_ids"].to_list() == four["token_ids"].to_list()
    for ours, others in zip(one["log_likelihoods"], four["log_likelihoods"], strict=True):
        assert list(ours) == pytest.approx(list(others), abs=1e-4)
    ranked = one.filter(pl.col("answer") == "rank")["log_likelihoods"].to_list()
    assert all(len(each) == 2 and ranked.count(each) == 1 for each in ranked)


@pytest.mark.heavy
def test_a_picture_that_is_gone_stops_the_job_with_its_name(base, pictures, tmp_path):
    gone = pictures[0]._replace(file=str(tmp_path / "gone.png"))
    with pytest.raises(PictureError, match=r"picture gone\.png is not in"):
        run(base, pictured(prompts("a"), [gone]), tmp_path, Sighted(), asked=VISION)


@pytest.mark.heavy
def test_a_job_about_pictures_that_is_killed_ends_with_the_same_bytes(base, pictures, tmp_path):
    texts = [f"{question} {letter}" for question in ("what", "which form") for letter in "abcdefgh"]
    rows = [[pictures[number % 3]] for number in range(len(texts))]
    check_kills(base, pictured(prompts(*texts, max_new_tokens=8), *rows), tmp_path, 4, "vision")


@pytest.mark.parametrize(
    "source",
    [
        Weights("model"),
        Weights("model", kind="encoder"),
        EndpointBlock(file="m.yaml", base_url="http://127.0.0.1:9/v1", model="model"),
    ],
)
def test_a_model_that_reads_text_alone_is_not_asked_about_pictures(source):
    frame = pictured(prompts("a", "b", task="looks"), [], [PictureFile("a.png", "0" * 64)])
    progress = partial(tqdm, disable=True)
    with pytest.raises(ValueError, match=r"config/tasks/looks\.yaml: pictures: model reads text alone; leave the task"):
        generate(frame, source, [], settings=SETTINGS, machine=Machine(), progress=progress)
    if isinstance(source, Weights):
        with pytest.raises(ValueError, match=r"config/tasks/looks\.yaml: pictures: model reads text alone"):
            fill_journals(frame, source, [], settings=SETTINGS, machine=Machine(), progress=progress)
