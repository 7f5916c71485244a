# The benchmark, from data to results/report.html:
#
#   prepare -> (extractor -> real_features -> floor)
#   prepare -> train -> sample -> features -> score -> collect -> report
#
# One wildcard, `run`, names a trained model (data set, model, K, seed); gmgan/pipeline/grid.py makes
# the table of runs of the chosen suite. A rule only names files, resources and one command; whatever a
# result depends on besides its inputs is in the rule's parameter `fingerprint`.
#
#   snakemake --cores 8 all                          the suite that params.yaml names
#   snakemake --cores 8 all --config suite=mnist     another one
#   snakemake --cores 1 results/runs/mnist.gan.K1.s7/scores.json    any one cell

from snakemake.utils import min_version

min_version("9.5")


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/runs.smk"
include: "workflow/rules/report.smk"


onstart:
    start_worker()
    schedule_on_events()


rule all:
    default_target: True
    input:
        scores=[PATHS.scores(run) for run in RUNS],
        table=PATHS.score_table(),
        report=PATHS.report(),
