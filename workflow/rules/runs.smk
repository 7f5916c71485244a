# Per run: train, sample, features per extractor, score; sweep of sigma_scale; clustering; explorer.


rule train:
    input:
        lambda w: train_inputs(w.run),
    output:
        weights="results/runs/{run}/weights.safetensors",
        history="results/runs/{run}/history.csv",
        snapshots="results/runs/{run}/snapshots.safetensors",
        grid="results/runs/{run}/grid.png",
        about="results/runs/{run}/train.json",
    log:
        "results/logs/train/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=4000,
        runtime=lambda w: train_minutes(w.run),
        gpu=gpus(),
    params:
        fingerprint=lambda w: EXPECTED.train(cell(w.run)),
    shell:
        "gmgan train {wildcards.run} > {log} 2>&1"


rule sample:
    input:
        weights="results/runs/{run}/weights.safetensors",
        about="results/runs/{run}/train.json",
        data=lambda w: PATHS.data_about(PARAMS.source_names[cell(w.run).dataset]),
    output:
        "results/runs/{run}/samples.safetensors",
    log:
        "results/logs/sample/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=4000,
        runtime=60,
        gpu=gpus(),
    params:
        fingerprint=lambda w: EXPECTED.sample(cell(w.run)),
    shell:
        "gmgan sample {wildcards.run} > {log} 2>&1"


rule features:
    input:
        samples="results/runs/{run}/samples.safetensors",
        extractor=lambda w: extractor_files(cell(w.run).dataset, w.extractor),
    output:
        "results/runs/{run}/features.{extractor}.safetensors",
    log:
        "results/logs/features/{run}.{extractor}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=gpus(),
    params:
        fingerprint=lambda w: EXPECTED.features(cell(w.run), w.extractor),
    shell:
        "gmgan features {wildcards.run} {wildcards.extractor} > {log} 2>&1"


rule score:
    input:
        samples="results/runs/{run}/samples.safetensors",
        snapshots="results/runs/{run}/snapshots.safetensors",
        features=lambda w: fake_features(w.run),
        real=lambda w: real_inputs(cell(w.run).dataset),
    output:
        "results/runs/{run}/scores.json",
    log:
        "results/logs/score/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        fingerprint=lambda w: EXPECTED.scores(cell(w.run)),
    shell:
        "gmgan score {wildcards.run} > {log} 2>&1"


rule tradeoff:
    input:
        weights="results/runs/{run}/weights.safetensors",
        about="results/runs/{run}/train.json",
        data=lambda w: data_files(cell(w.run).dataset),
        real=lambda w: real_inputs(cell(w.run).dataset),
        extractors=lambda w: extractor_weights(cell(w.run).dataset),
    output:
        "results/runs/{run}/tradeoff.json",
    log:
        "results/logs/tradeoff/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=8000,
        runtime=240,
        gpu=gpus(),
    params:
        fingerprint=lambda w: EXPECTED.tradeoff(cell(w.run)),
    shell:
        "gmgan tradeoff {wildcards.run} > {log} 2>&1"


rule cluster:
    input:
        weights="results/runs/{run}/weights.safetensors",
        about="results/runs/{run}/train.json",
        data=lambda w: data_files(cell(w.run).dataset),
    output:
        "results/runs/{run}/clusters.json",
    log:
        "results/logs/cluster/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=8000,
        runtime=120,
        gpu=gpus(),
    params:
        fingerprint=lambda w: EXPECTED.clusters(cell(w.run)),
    shell:
        "gmgan cluster {wildcards.run} > {log} 2>&1"


rule explore:
    input:
        weights="results/runs/{run}/weights.safetensors",
        about="results/runs/{run}/train.json",
        samples="results/runs/{run}/samples.safetensors",
        data=lambda w: data_files(cell(w.run).dataset),
    output:
        "results/runs/{run}/explore.safetensors",
    log:
        "results/logs/explore/{run}.log",
    threads: PARAMS.execution.threads
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=gpus(),
    params:
        fingerprint=lambda w: EXPECTED.explore(cell(w.run)),
    shell:
        "gmgan explore {wildcards.run} > {log} 2>&1"
