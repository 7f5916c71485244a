# Per run: train, sample, features per extractor, score; sweep of sigma_scale; clustering; explorer.


rule train:
    input:
        reads("train"),
    output:
        **writes(
            "train",
            preview={
                "caption": "../report/grid.rst",
                "category": "Samples",
                "labels": {"run": "{run}"},
            },
        ),
    log:
        "results/logs/train/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("train"),
    params:
        fingerprint=fingerprint("train"),
    shell:
        "gmgan train {wildcards.run} > {log} 2>&1"


rule sample:
    input:
        reads("sample"),
    output:
        **writes("sample"),
    log:
        "results/logs/sample/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("sample"),
    params:
        fingerprint=fingerprint("sample"),
    shell:
        "gmgan sample {wildcards.run} > {log} 2>&1"


rule features:
    input:
        reads("features"),
    output:
        **writes("features"),
    log:
        "results/logs/features/{run}.{extractor}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("features"),
    params:
        fingerprint=fingerprint("features"),
    shell:
        "gmgan features {wildcards.run} {wildcards.extractor} > {log} 2>&1"


rule score:
    input:
        reads("score"),
    output:
        **writes("score"),
    log:
        "results/logs/score/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("score"),
    params:
        fingerprint=fingerprint("score"),
    shell:
        "gmgan score {wildcards.run} > {log} 2>&1"


rule tradeoff:
    input:
        reads("tradeoff"),
    output:
        **writes("tradeoff"),
    log:
        "results/logs/tradeoff/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("tradeoff"),
    params:
        fingerprint=fingerprint("tradeoff"),
    shell:
        "gmgan tradeoff {wildcards.run} > {log} 2>&1"


rule cluster:
    input:
        reads("cluster"),
    output:
        **writes("cluster"),
    log:
        "results/logs/cluster/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("cluster"),
    params:
        fingerprint=fingerprint("cluster"),
    shell:
        "gmgan cluster {wildcards.run} > {log} 2>&1"


rule explore:
    input:
        reads("explore"),
    output:
        **writes("explore"),
    log:
        "results/logs/explore/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("explore"),
    params:
        fingerprint=fingerprint("explore"),
    shell:
        "gmgan explore {wildcards.run} > {log} 2>&1"
