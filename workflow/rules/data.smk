# Per data set: arrays, feature extractor, features of real images, real-against-real floor.


rule data:
    input:
        floors=[files("floor", "floor", dataset=name) for name in DATASETS],


rule prepare:
    input:
        reads("prepare"),
    output:
        **writes("prepare"),
    log:
        "results/logs/prepare/{source}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("prepare"),
    params:
        fingerprint=fingerprint("prepare"),
    shell:
        "gmgan prepare {wildcards.source} > {log} 2>&1"


rule extractor:
    input:
        reads("extractor"),
    output:
        **writes("extractor"),
    log:
        "results/logs/extractor/{extractor_id}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("extractor"),
    params:
        fingerprint=fingerprint("extractor"),
        owner=lambda w: extractor_owner(PARAMS, w.extractor_id),
    shell:
        "gmgan extractor {params.owner} > {log} 2>&1"


rule real_features:
    input:
        reads("real_features"),
    output:
        **writes("real_features"),
    log:
        "results/logs/real_features/{dataset}.{extractor}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("real_features"),
    params:
        fingerprint=fingerprint("real_features"),
    shell:
        "gmgan real-features {wildcards.dataset} {wildcards.extractor} > {log} 2>&1"


rule floor:
    input:
        reads("floor"),
    output:
        **writes("floor"),
    log:
        "results/logs/floor/{dataset}.log",
    threads: PARAMS.execution.threads
    resources:
        **needs("floor"),
    params:
        fingerprint=fingerprint("floor"),
    shell:
        "gmgan floor {wildcards.dataset} > {log} 2>&1"
