"""Print which questions are settled, and what the next look adds."""

from maple.analysis.questions.records import StudyAnswers
from maple.definitions.looks import Looks
from maple.evaluation.prompt_quality import quality
from maple.report.settled import next_look, settled
from maple.runtime.files import read_json, write_text
from maple.runtime.logs import show

looks = Looks(**snakemake.params.looks)
cards = map(read_json, snakemake.input.cards)
added = next_look(
    looks, quality(snakemake.input.prompts), snakemake.params.rows_wanted, snakemake.params.answers, cards
)
text = settled(StudyAnswers(**read_json(snakemake.input.questions)), looks, added)
write_text(text, snakemake.log.table)
show(text)
