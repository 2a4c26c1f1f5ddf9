"""Write the model cards of merged models, of adapters, and of models that were trained whole."""

from maple.definitions.language import LanguageIdentity
from maple.definitions.looks import Looks
from maple.definitions.run import Run
from maple.definitions.task import TaskSources
from maple.report.model_card import ADAPTERS, MERGED, TRAINED, CardStudy, write_model_cards
from maple.runtime.files import read_parquet
from maple.runtime.logs import log_to
from maple.training.provenance import read_held_cards

log_to(snakemake.log[0])
params, output = snakemake.params, snakemake.output
cards = read_held_cards(snakemake.input.cards, snakemake.params.trained_as)
study = CardStudy(
    summary=read_parquet(snakemake.input.summary),
    groups=read_parquet(snakemake.input.groups),
    identities={code: LanguageIdentity(**row) for code, row in params.identities.items()},
    dataset_languages=params.dataset_languages,
    sources={task: TaskSources(**source) for task, source in params.sources.items()},
    hub_datasets=params.hub_datasets,
    licenses=params.licenses,
    note=params.note,
    looks=Looks(**params.looks),
)
merged, adapted, whole = ([Run(**run) for run in runs] for runs in (params.merged, params.adapted, params.whole))
write_model_cards(
    merged, MERGED, cards, params.merged_folders, output.merged, study, params.repositories.get(MERGED, {})
)
write_model_cards(
    adapted, ADAPTERS, cards, params.adapter_folders, output.adapters, study, params.repositories.get(ADAPTERS, {})
)
write_model_cards(
    whole, TRAINED, cards, params.model_folders, output.trained, study, params.repositories.get(TRAINED, {})
)
