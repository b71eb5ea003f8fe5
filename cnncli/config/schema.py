"""The schema of a config: what may stand in it, in which ranges, and what it means.

Every key but ``model.layers`` has a default; together the defaults are the documented
experiment's. The config reference in docs/config.md is made from the descriptions here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from cnncli.config.fields import (
    CountOrShare,
    CountOrShareOrNone,
    Fraction,
    ImageShape,
    Name,
    Named,
    NotNegativeFloat,
    Pattern,
    Positive,
    PositiveFloat,
    Section,
    Text,
    TrackerPlace,
    by_type,
    entries,
    named,
    unique,
)
from cnncli.config.layers import AnyLayer, name_layers
from cnncli.system.caches import cache_folder

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16", "auto"]
SplitMethod = Literal["head", "random", "stratified"]
Metric = Literal["accuracy", "sparse_top_k_categorical_accuracy"]
Monitor = Literal[
    "loss",
    Metric,
    "val_loss",
    "val_accuracy",
    "val_sparse_top_k_categorical_accuracy",
]


Classes = Annotated[tuple[Text, ...], unique, entries(2, 256)]

Transpose = Annotated[
    bool,
    Field(description="whether to exchange rows and columns of images, as for EMNIST"),
]

_CLASSES_OR_LABELS = (
    "name of each class, in the order of the labels; without it the labels themselves, "
    "sorted"
)


def _known_folder(path: str) -> str:
    """Return where Debian or ``cnncli fetch`` puts Fashion-MNIST, if that is meant."""
    if path == "fetched":
        return str(cache_folder("fashion-mnist"))
    return "/usr/share/datasets/fashion-mnist" if path == "debian" else path


_PICTURE_SHAPE = (
    "[height, width] or [height, width, channels] that pictures are brought to, grey "
    "with 1 channel; without it, all must be as the first"
)
Fit = Literal["stretch", "pad", "crop"]
_FIT = (
    "how pictures of another size are brought to it: `stretch` each side by itself, "
    "`pad` with black bars, or `crop` what is too much"
)


Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Located(Named):
    """A data set that lies somewhere.

    Attributes:
        place: What the path leads to, for messages.
    """

    place: ClassVar[str] = "FOLDER"
    path: Text | None


class FashionMNIST(Located):
    """Fashion-MNIST: 28 x 28 grey images of clothing in ten classes."""

    type: Literal["fashion-mnist"] = "fashion-mnist"
    path: Annotated[Text, AfterValidator(_known_folder)] | None = Field(
        None,
        description="folder with the four full IDX files, plain or gzipped, or "
        "`fetched` for what `cnncli fetch fashion-mnist` has got, or `debian` for that "
        "of Debian's package dataset-fashion-mnist; without it the images inside this "
        "package: 16,000 to train on, 10,000 to test",
    )


class Idx(Located):
    """A folder with four IDX files named like those of MNIST."""

    type: Literal["idx"] = "idx"
    path: Text = Field(description="folder with the four files, plain or gzipped")
    classes: Classes = Field(
        description="name of each class, in the order of the labels"
    )
    transpose: Transpose = False


class NpzKeys(Section):
    """What the arrays of a .npz file are called."""

    x_train: Text | None = Field(
        None, description="images; without it `x_train`, or else `x`"
    )
    y_train: Text | None = Field(
        None, description="labels; without it `y_train`, or else `y`"
    )
    x_test: Text | None = Field(
        None, description="test images; without it `x_test`, if it is there"
    )
    y_test: Text | None = Field(
        None, description="test labels; without it `y_test`, if it is there"
    )


class Npz(Located):
    """A .npz file of NumPy's, with images and labels."""

    place: ClassVar[str] = "FILE"
    type: Literal["npz"] = "npz"
    path: Text = Field(description="the file")
    classes: Classes | None = Field(None, description=_CLASSES_OR_LABELS)
    keys: NpzKeys = Field(NpzKeys(), description="names of the arrays")
    transpose: Transpose = False


class Csv(Located):
    """CSV files that have an image in each row: its label and its pixels."""

    place: ClassVar[str] = "PATH"
    type: Literal["csv"] = "csv"
    path: Text = Field(
        description="a file, plain or gzipped, or a folder with one that has `train` "
        "in its name and perhaps one that has `test`"
    )
    classes: Classes | None = Field(None, description=_CLASSES_OR_LABELS)
    header: bool | None = Field(
        None,
        description="whether the first row names the columns; without it, that is told "
        "from what stands there",
    )
    label: Text | None = Field(
        None,
        description="name of the column with the labels; without it `label` or the "
        "like, or the first column of a file without a header",
    )
    image_shape: ImageShape | None = Field(
        None,
        description="[height, width] or [height, width, channels], as they are stored; "
        "without it, images are square and grey",
    )
    transpose: Transpose = False


class Parquet(Located):
    """Parquet files with pictures and labels, as the Hugging Face hub has them."""

    place: ClassVar[str] = "PATH"
    type: Literal["parquet"] = "parquet"
    path: Text = Field(
        description="a file, a pattern such as `data/*.parquet`, or a folder with "
        "files that have `train` and perhaps `test` in their names; needs pyarrow"
    )
    classes: Classes | None = Field(
        None,
        description="name of each class, in the order of the labels; without it those "
        "in the files, or the labels themselves, sorted",
    )
    image: Text | None = Field(
        None, description="name of the column with the pictures, if there are several"
    )
    label: Text | None = Field(
        None, description="name of the column with the labels, if that isn't clear"
    )
    image_shape: ImageShape | None = Field(None, description=_PICTURE_SHAPE)
    fit: Fit = Field("stretch", description=_FIT)


class Folder(Located):
    """Picture files, in a folder for each class.

    These folders may lie in folders train, validation and test.
    """

    type: Literal["folder"] = "folder"
    path: Text = Field(description="the folder with all of them")
    classes: Classes | None = Field(
        None,
        description="name of each class, which is that of its folder; without it, all "
        "folders are classes, sorted by name",
    )
    image_shape: ImageShape | None = Field(None, description=_PICTURE_SHAPE)
    fit: Fit = Field("stretch", description=_FIT)


Source = Annotated[FashionMNIST | Idx | Npz | Csv | Parquet | Folder, by_type, named]


class Split(Section):
    """Which images train the network, which validate it and which test it."""

    method: SplitMethod | None = Field(
        None,
        description="`head`: the first images train, the next validate; `random`: "
        "drawn by the seed; `stratified`: drawn so that each class keeps its share; "
        "without it, `head` for Fashion-MNIST and `stratified` for other data",
    )
    train: CountOrShare | None = Field(
        None,
        description="training images: a count, or a share of the pool between 0 and 1; "
        "1 is one image, 1.0 are all; without it, 10,000 of Fashion-MNIST and 0.8 of "
        "other data",
    )
    validation: CountOrShareOrNone | None = Field(
        None,
        description="validation images: a count, or a share between 0 and 1; 0: "
        "none, and nothing is measured after each epoch; without it, 6,000 of "
        "Fashion-MNIST and 0.2 of other data",
    )
    validation_from: Literal["train", "test"] = Field(
        "train",
        description="`train`: out of the training pool, disjoint from the training "
        "images; `test`: the first test images, as in the course text (then "
        "validation and test overlap)",
    )
    test: CountOrShare | None = Field(
        None,
        description="test images of a data set that has none of its own: a count, or a "
        "share of all images, drawn by the seed so that each class keeps its share; "
        "what is left is the training pool; without it, 0.2",
    )
    seed: Seed | None = Field(
        None,
        description="decides which images are drawn for what; without it, the config's "
        "`seed`",
    )
    group: Pattern | None = Field(
        None,
        description="regular expression that is searched for in the names of picture "
        "files; what its first parentheses match names the object, and all pictures of "
        "an object go to the same split; for `folder`",
    )


class Divide(Named):
    """Divides each pixel value by a number."""

    type: Literal["divide"] = "divide"
    by: PositiveFloat = Field(255.0, description="the divisor")


class Standardize(Named):
    """Subtracts the training split's mean, divides by its standard deviation."""

    type: Literal["standardize"] = "standardize"


Normalization = Annotated[Divide | Standardize, by_type, named]


class Data(Section):
    """Where images come from and how they are prepared."""

    source: Source = Field(FashionMNIST(), description="the data set")
    split: Split = Field(Split(), description="training and validation images")
    normalization: Normalization = Field(
        Divide(), description="what is done to pixel values, in every split alike"
    )


class Model(Section):
    """The network."""

    layers: Annotated[
        tuple[AnyLayer, ...], AfterValidator(name_layers), entries(1, 200)
    ] = Field(description="the layers in order, input to output")


class Optimizer(Named):
    """An optimizer, with the arguments that all of Keras's have."""

    learning_rate: PositiveFloat = Field(0.001, description="step size at the start")
    weight_decay: NotNegativeFloat | None = Field(
        None, description="decoupled decay of the weights"
    )
    clipnorm: PositiveFloat | None = Field(
        None, description="largest norm of each gradient"
    )
    clipvalue: PositiveFloat | None = Field(
        None, description="largest value in each gradient"
    )
    global_clipnorm: PositiveFloat | None = Field(
        None, description="largest norm of all gradients together"
    )


class RMSprop(Optimizer):
    """Root mean square propagation."""

    type: Literal["RMSprop"] = "RMSprop"
    rho: Fraction = Field(0.9, description="decay of the squared gradients' mean")
    momentum: Fraction = Field(0.0, description="momentum")
    epsilon: PositiveFloat = Field(1e-7, description="keeps the division finite")
    centered: bool = Field(False, description="whether to use the variance")


class Adam(Optimizer):
    """Adaptive moment estimation."""

    type: Literal["Adam"] = "Adam"
    beta_1: Fraction = Field(0.9, description="decay of the gradients' mean")
    beta_2: Fraction = Field(0.999, description="decay of the squared gradients' mean")
    epsilon: PositiveFloat = Field(1e-7, description="keeps the division finite")
    amsgrad: bool = Field(False, description="whether to keep the largest variance")


class AdamW(Adam):
    """Adam with decoupled weight decay."""

    type: Literal["AdamW"] = "AdamW"  # type: ignore[assignment]
    weight_decay: NotNegativeFloat | None = Field(
        0.004, description="decoupled decay of the weights"
    )


class SGD(Optimizer):
    """Stochastic gradient descent."""

    type: Literal["SGD"] = "SGD"
    learning_rate: PositiveFloat = Field(0.01, description="step size at the start")
    momentum: Fraction = Field(0.0, description="momentum")
    nesterov: bool = Field(False, description="whether to use Nesterov's momentum")


AnyOptimizer = Annotated[RMSprop | Adam | AdamW | SGD, by_type, named]


class Constant(Named):
    """The same learning rate in every epoch."""

    type: Literal["Constant"] = "Constant"


class CosineDecay(Named):
    """From the optimizer's learning rate along half a cosine."""

    type: Literal["CosineDecay"] = "CosineDecay"
    alpha: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="the share of the learning rate that it falls towards"
    )
    warmup_epochs: Annotated[int, Field(ge=0, le=100_000)] = Field(
        0, description="epochs of linear growth before the decay"
    )


class StepDecay(Named):
    """Multiplied by a factor every few epochs."""

    type: Literal["StepDecay"] = "StepDecay"
    factor: Annotated[float, Field(gt=0, le=1)] = Field(0.1, description="the factor")
    epochs: Positive = Field(10, description="after how many epochs, again and again")


class ReduceLROnPlateau(Named):
    """Multiplied by a factor when a metric has stopped improving."""

    type: Literal["ReduceLROnPlateau"] = "ReduceLROnPlateau"
    monitor: Monitor = Field("val_loss", description="the metric to watch")
    factor: Annotated[float, Field(gt=0, lt=1)] = Field(0.1, description="the factor")
    patience: Positive = Field(10, description="epochs without improvement to wait")
    min_delta: NotNegativeFloat = Field(
        1e-4, description="the least change that counts as improvement"
    )
    min_lr: NotNegativeFloat = Field(0.0, description="the lowest rate")


Schedule = Annotated[
    Constant | CosineDecay | StepDecay | ReduceLROnPlateau, by_type, named
]


class SparseCategoricalCrossentropy(Named):
    """Cross-entropy between class labels and predicted probabilities."""

    type: Literal["sparse_categorical_crossentropy"] = "sparse_categorical_crossentropy"


class CategoricalCrossentropy(Named):
    """Cross-entropy between one-hot labels, smoothed if asked, and probabilities."""

    type: Literal["categorical_crossentropy"] = "categorical_crossentropy"
    label_smoothing: Fraction = Field(
        0.0, description="share of a label that is spread over all classes"
    )


Loss = Annotated[
    SparseCategoricalCrossentropy | CategoricalCrossentropy, by_type, named
]


class EarlyStopping(Section):
    """Stops training when a metric has stopped improving."""

    monitor: Monitor = Field("val_loss", description="the metric to watch")
    patience: Positive = Field(5, description="epochs without improvement to wait")
    min_delta: NotNegativeFloat = Field(
        0.0, description="the least change that counts as improvement"
    )


class Last(Named):
    """The weights after the last epoch."""

    type: Literal["last"] = "last"


class Best(Named):
    """The weights after the best epoch."""

    type: Literal["best"] = "best"
    monitor: Monitor = Field("val_accuracy", description="the metric that decides")


Weights = Annotated[Last | Best, by_type, named]


class Training(Section):
    """How the network is trained."""

    optimizer: AnyOptimizer = Field(RMSprop(), description="the optimizer")
    schedule: Schedule = Field(
        Constant(), description="how the learning rate changes from epoch to epoch"
    )
    loss: Loss = Field(
        SparseCategoricalCrossentropy(), description="what training makes smaller"
    )
    metrics: Annotated[tuple[Metric, ...], unique] = Field(
        ("accuracy",), description="what is measured beside the loss"
    )
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = Field(
        32, description="images in a training step"
    )
    epochs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        20, description="passes over the training images"
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="when to stop before the last epoch"
    )
    weights: Weights = Field(
        Last(), description="which epoch's weights `model.h5` gets"
    )
    precision: Precision = Field(
        "float32",
        description="number format of the layers; the weights and the last layer stay "
        "in float32; `auto`: mixed_bfloat16 on processors that are faster in it, else "
        "float32",
    )
    threads: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None,
        description="processor threads; without it, as many as there are cores (the "
        "number is part of what makes a run repeatable)",
    )
    tensorboard: bool = Field(
        False,
        description="whether to write curves for TensorBoard, which must be installed, "
        "to `tensorboard/` in the run folder",
    )
    mlflow: TrackerPlace | None = Field(
        None,
        description="where MLflow, which must be installed, is to keep the run: a "
        "folder, `sqlite:///` and a file, or a server's `http://` address",
    )


class Config(Section):
    """A whole config."""

    name: Name | None = Field(
        None, description="names the run folder; without it, the config file's name"
    )
    seed: Seed = Field(
        1,
        description="decides initial weights, order of images, dropout, random splits",
    )
    data: Data = Field(Data(), description="the images")
    model: Model = Field(description="the network")
    training: Training = Field(Training(), description="how it is trained")
