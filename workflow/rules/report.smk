# Per suite: tidy tables, one page.


rule collect:
    input:
        reads("collect"),
    output:
        **writes(
            "collect",
            scores={"caption": "../report/scores.rst", "category": "Tables"},
            tradeoff={"caption": "../report/sweep.rst", "category": "Tables"},
        ),
    log:
        f"results/logs/collect/{SUITE}.log",
    threads: 1
    resources:
        **needs("collect"),
    params:
        suite=SUITE,
        fingerprint=fingerprint("collect"),
    shell:
        "gmgan collect --suite {params.suite} > {log} 2>&1"


rule benchmark:
    input:
        metrics=files("collect", "metrics", suite=SUITE),
        explored=[files("explore", "explored", run=run) for run in RUNS],


rule report:
    input:
        reads("report"),
    output:
        **writes("report", page={"caption": "../report/page.rst", "category": "Report"}),
    log:
        f"results/logs/report/{SUITE}.log",
    threads: 8
    resources:
        **needs("report"),
    params:
        suite=SUITE,
        fingerprint=fingerprint("report"),
    shell:
        "gmgan report --suite {params.suite} --processes {threads} > {log} 2>&1"
