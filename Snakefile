# The benchmark, from data to results/report.html:
#
#   prepare -> (extractor -> real_features -> floor)
#   prepare -> train -> sample -> features -> score -> collect -> report
#
# One wildcard, `run`, names a trained model (data set, model, K, seed). A rule holds its resources and
# its one command. Its files and its fingerprint are looked up in gmgan/pipeline/stages.py by the name
# of the stage.
#
#   snakemake --cores 8 all                          the suite that params.yaml names
#   snakemake --cores 8 all --config suite=mnist     another one
#   snakemake --cores 1 results/runs/mnist.gan.K1.s7/scores.json    any one run

from snakemake.utils import min_version

min_version("9.5")


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/runs.smk"
include: "workflow/rules/report.smk"


onstart:
    start_worker()
    schedule_on_events()


onsuccess:
    write_index(GRAPH)
    finish_view(files("report", "page", suite=SUITE))


onerror:
    finish_view()


rule all:
    default_target: True
    input:
        scores=[files("score", "scores", run=run) for run in RUNS],
        table=files("collect", "scores", suite=SUITE),
        report=files("report", "page", suite=SUITE),
