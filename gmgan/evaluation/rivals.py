"""Clustering without a GAN, to stand beside the components of a GM-GAN.

Every method is fit on the training split and assigns samples of any split. Labels are not used.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss

from gmgan.evaluation.clustering import as_rows, kmeans_clusters
from gmgan.runtime.progress import Progress

PCA_DIM = 50
KMEANS_STARTS = 5
CODE_DIM = 10
HIDDEN = (500, 500, 2000)
EPOCHS = 20
BATCH = 256
BLOCK = 5000


def mixture_pca(train: np.ndarray, samples: np.ndarray, n_clusters: int, seed: int) -> np.ndarray:
    """Gaussian mixture with full covariances on 50 principal components, by EM from k-means."""
    from sklearn.decomposition import PCA
    from sklearn.mixture import GaussianMixture

    rows, state = as_rows(train), seed % 2**32
    pca = PCA(min(PCA_DIM, *rows.shape), random_state=state).fit(rows)
    mixture = GaussianMixture(n_clusters, random_state=state).fit(pca.transform(rows))
    return mixture.predict(pca.transform(as_rows(samples)))


def kmeans_autoencoder(
    train: np.ndarray, samples: np.ndarray, n_clusters: int, seed: int, device: torch.device
) -> np.ndarray:
    """k-means on the codes of an autoencoder with the layers of DEC.

    Fully connected layers of 500, 500, 2000 and 10 units and their mirror image (Xie et al. 2016,
    section 4.2), trained end to end for 20 epochs by Adam on the mean squared error; no layer-wise
    pre-training.
    """
    rows = torch.from_numpy(as_rows(train))
    torch.manual_seed(seed % 2**63)
    widths = (rows.shape[1], *HIDDEN, CODE_DIM)
    encoder, decoder = _layers(widths), _layers(widths[::-1])
    autoencoder = nn.Sequential(encoder, decoder).to(device)
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=1e-3, fused=True)
    with Progress(EPOCHS * len(rows) / 1000, "autoencoder", "kimg") as progress:
        for _ in range(EPOCHS):
            for batch in torch.randperm(len(rows)).split(BATCH):
                optimizer.zero_grad()
                images = rows[batch].to(device)
                loss = mse_loss(autoencoder(images), images)
                loss.backward()
                optimizer.step()
                progress.update(len(batch) / 1000, f"loss {loss.item():.4f}")
    with torch.no_grad():
        codes, other = (
            torch.cat([encoder(part.to(device)).cpu() for part in each.split(BLOCK)]).numpy()
            for each in (rows, torch.from_numpy(as_rows(samples)))
        )
    return kmeans_clusters(codes, other, n_clusters, seed, KMEANS_STARTS)


def _layers(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, out in pairwise(widths):
        layers += [nn.Linear(width, out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def assignments(
    train: np.ndarray, samples: np.ndarray, n_clusters: int, seed: int, device: torch.device
) -> Iterator[tuple[str, np.ndarray]]:
    """(name, clusters of `samples`) by each method; arrays are N x ..., uint8 or float32."""
    data = train, samples, n_clusters, seed
    yield "k-means", kmeans_clusters(*data, KMEANS_STARTS)
    yield "k-means, PCA", kmeans_clusters(*data, KMEANS_STARTS, PCA_DIM)
    yield "Gaussian mixture, PCA", mixture_pca(*data)
    yield "k-means, autoencoder", kmeans_autoencoder(*data, device)
