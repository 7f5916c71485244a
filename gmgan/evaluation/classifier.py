"""A small convolutional classifier: the default feature extractor."""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn.functional import cross_entropy, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gmgan.config.evaluation import ClassifierExtractor
from gmgan.pixels import to_model_range


class Classifier(nn.Module):
    """Per stage of `channels`: a 3 x 3 convolution and a halving; then features, then logits.

    sample_shape (tuple): (C, H, W); feature_dim (int): width of the penultimate layer.
    """

    scale: torch.Tensor

    def __init__(
        self, sample_shape: tuple[int, ...], n_classes: int, channels: list[int], feature_dim: int
    ):
        super().__init__()
        layers: list[nn.Module] = []
        width, size = sample_shape[:2]
        for out in channels:
            layers += [nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out)]
            layers += [nn.MaxPool2d(2), nn.ReLU()]  # in the other order at four times the cost
            width, size = out, size // 2
        layers += [nn.Flatten(), nn.Linear(width * size * size, feature_dim)]
        self.body = nn.Sequential(*layers, nn.ReLU())
        self.head = nn.Linear(feature_dim, n_classes)
        self.register_buffer("scale", torch.ones(()))

    def folded(self) -> "Classifier":
        """The same function with batch normalisation folded into the convolutions: for inference.

        In evaluation mode and with channels last, as the convolutions like it.
        """
        net = copy.deepcopy(self).eval()
        layers: list[nn.Module] = []
        for layer in net.body:
            if isinstance(layer, nn.BatchNorm2d):
                convolution = layers.pop()
                assert isinstance(convolution, nn.Conv2d)
                layers.append(fuse_conv_bn_eval(convolution, layer))
            else:
                layers.append(layer)
        net.body = nn.Sequential(*layers)
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(features N x feature_dim, logits N x n_classes) of uint8 images N x C x H x W.

        Features have a root mean square of 1 over the training split: the scale of the kernel in
        KID, and one that distances can be read on.
        """
        images = to_model_range(images).contiguous(memory_format=torch.channels_last)
        features = self.body(images)
        return features / self.scale, self.head(features)


class Committee(nn.ModuleList):
    """Classifiers of the same shape; their outputs stand side by side."""

    def folded(self) -> "Committee":
        """The same with every member folded."""
        return Committee(member.folded() for member in self.members())

    def members(self) -> Iterator[Classifier]:
        """The classifiers, in order."""
        for member in self:
            assert isinstance(member, Classifier)
            yield member

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(features N x M d, logits N x M classes) of uint8 images N x C x H x W."""
        features, logits = zip(*(member(images) for member in self), strict=True)
        return torch.cat(features, 1), torch.cat(logits, 1)


def train_classifier(
    images: torch.Tensor,
    labels: torch.Tensor,
    n_classes: int,
    settings: ClassifierExtractor,
    seed: int,
    on_batch: Callable[[int, torch.Tensor], None] | None = None,
) -> Classifier:
    """A trained classifier, in evaluation mode.

    images: uint8 N x C x H x W; labels: int64 N. The learning rate of `settings` is the peak of a
    one-cycle schedule. `on_batch(n, loss)` is called after each batch of n images.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shape = tuple(images.shape[1:])
        net = Classifier(shape, n_classes, settings.channels, settings.feature_dim)
        # 1.4 times faster with channels last (torch's stub lacks memory_format)
        net.to(images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        size = settings.batch_size
        steps = max(1, round(settings.kimg * 1000 / size))
        optimizer = torch.optim.Adam(net.parameters(), fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, steps)
        order = torch.empty(0, dtype=torch.long)
        for _ in range(steps):
            while len(order) < size:
                order = torch.cat([order, torch.randperm(len(images))])
            index, order = order[:size].to(images.device), order[size:]
            batch = _shifted(images[index], settings.shift)
            loss = cross_entropy(net(batch)[1], labels[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            if on_batch:
                on_batch(size, loss.detach())
    net.eval()
    with torch.no_grad():
        squares = [net(batch)[0].square().mean(1) for batch in images.split(1000)]
        net.scale.copy_(torch.cat(squares).mean().sqrt())
    return net


def _shifted(images: torch.Tensor, shift: int) -> torch.Tensor:
    """The batch moved by one random translation of at most `shift` pixels; borders repeat."""
    if shift == 0:
        return images
    height, width = images.shape[2:]
    padded = pad(images.float(), (shift,) * 4, mode="replicate").to(images.dtype)
    top, left = torch.randint(2 * shift + 1, (2,)).tolist()
    return padded[:, :, top : top + height, left : left + width]


@torch.no_grad()
def predict(net: Classifier, images: torch.Tensor, batch_size: int = 1000) -> torch.Tensor:
    """Predicted classes (LongTensor, N) of uint8 images N x C x H x W."""
    return torch.cat([net(batch)[1].argmax(1) for batch in images.split(batch_size)])
