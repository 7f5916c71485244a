# Per data set: arrays, feature extractor, features of real images, real-against-real floor.

DATASETS = list(dict.fromkeys(run.dataset for run in RUNS))


rule data:
    input:
        arrays=[
            path
            for source in dict.fromkeys(PARAMS.source_names[name] for name in DATASETS)
            for path in data_files(source)
        ],
        real=[path for name in DATASETS for path in real_inputs(name)],
        floors=[PATHS.floor(name) for name in DATASETS],


rule prepare:
    input:
        lambda w: local_files(w.dataset),
    output:
        data="results/data/{dataset}.safetensors",
        about="results/data/{dataset}.json",
    log:
        "results/logs/prepare/{dataset}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        fingerprint=lambda w: EXPECTED.data(w.dataset),
    shell:
        "gmgan prepare {wildcards.dataset} > {log} 2>&1"


rule extractor:
    input:
        lambda w: extractor_inputs(w.extractor_id),
    output:
        weights="results/extractors/{extractor_id}.safetensors",
        about="results/extractors/{extractor_id}.json",
    log:
        "results/logs/extractor/{extractor_id}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=4000,
        runtime=120,
        gpu=gpus(),
    params:
        fingerprint=lambda w: EXPECTED.extractor(*extractor_owner(w.extractor_id)),
        owner=lambda w: extractor_owner(w.extractor_id),
    shell:
        "gmgan extractor {params.owner} > {log} 2>&1"


rule real_features:
    input:
        data=lambda w: PATHS.data(PARAMS.source_names[w.dataset]),
        extractor=lambda w: extractor_files(w.dataset, w.extractor),
    output:
        "results/real/{dataset}.{extractor}.safetensors",
    log:
        "results/logs/real_features/{dataset}.{extractor}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=gpus(),
    params:
        fingerprint=lambda w: EXPECTED.real_features(w.dataset, w.extractor),
    shell:
        "gmgan real-features {wildcards.dataset} {wildcards.extractor} > {log} 2>&1"


rule floor:
    input:
        lambda w: real_inputs(w.dataset),
    output:
        "results/real/{dataset}.floor.json",
    log:
        "results/logs/floor/{dataset}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        fingerprint=lambda w: EXPECTED.floor(w.dataset),
    shell:
        "gmgan floor {wildcards.dataset} > {log} 2>&1"
