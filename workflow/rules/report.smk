# Per suite: tidy tables, one page.

CLUSTERED = [run for run in RUNS if grid.has_clusters(PARAMS, run)]


rule collect:
    input:
        scores=[PATHS.scores(run) for run in RUNS],
        sweeps=[PATHS.tradeoff(run) for run in RUNS],
        clusters=[PATHS.clusters(run) for run in CLUSTERED],
        trained=[PATHS.train_about(run) for run in RUNS],
        floors=[PATHS.floor(name) for name in DATASETS],
    output:
        table=report(
            "results/scores.csv", caption="../report/scores.rst", category="Tables"
        ),
        sweep=report(
            "results/tradeoff.csv", caption="../report/sweep.rst", category="Tables"
        ),
        metrics="results/metrics.json",
    log:
        "results/logs/collect.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        suite=SUITE,
        fingerprint=EXPECTED.table(SUITE),
    shell:
        "gmgan collect --suite {params.suite} > {log} 2>&1"


rule benchmark:
    input:
        metrics="results/metrics.json",
        explored=[PATHS.explore(run) for run in RUNS],


rule report:
    input:
        table="results/scores.csv",
        sweep="results/tradeoff.csv",
        scores=[PATHS.scores(run) for run in RUNS],
        clusters=[PATHS.clusters(run) for run in CLUSTERED],
        trained=[PATHS.train_about(run) for run in RUNS],
        samples=[PATHS.samples(run) for run in RUNS],
        explored=[PATHS.explore(run) for run in RUNS],
        data=[
            PATHS.data_about(name)
            for name in sorted({PARAMS.source_names[run.dataset] for run in RUNS})
        ],
        extractors=sorted(
            {path for run in RUNS for path in extractor_about(run.dataset)}
        ),
    output:
        page=report(
            "results/report.html", caption="../report/page.rst", category="Report"
        ),
        tables=directory("results/tables"),
        figures=directory("results/figures"),
    log:
        "results/logs/report.log",
    threads: 8
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        suite=SUITE,
        fingerprint=EXPECTED.report(SUITE),
    shell:
        "gmgan report --suite {params.suite} --processes {threads} > {log} 2>&1"
