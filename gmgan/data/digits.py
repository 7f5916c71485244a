"""The handwritten 8 x 8 digits that ship with scikit-learn (UCI, Alpaydin and Kaynak 1998)."""

import numpy as np

from gmgan.config.data import DigitsSource
from gmgan.data.splits import Splits
from gmgan.seeds import derive_seed


def read(source: DigitsSource, archives: object = None) -> Splits:
    """Real digits, grey levels 0-16 stretched to 0-255, split by class in a fixed way."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8, 1)
    train, test, train_labels, test_labels = train_test_split(
        images,
        labels.astype(np.int64),
        test_size=source.test_fraction,
        stratify=labels,
        random_state=derive_seed("digits", "split") % 2**32,
    )
    return Splits(train, train_labels, test, test_labels, [str(i) for i in range(10)])
