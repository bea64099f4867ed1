"""Rendering the letters into arrays and training the backbone on them."""

import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from darkroom.tools.pretraining.fonts import draw_glyph, load_font
from darkroom.tools.pretraining.letters import IMAGE_SIZE, LETTERS, draw_style, render
from darkroom.trainer.backbones import BACKBONES, LETTERS_ALPHA, LETTERS_BACKBONE
from darkroom.trainer.engines.keras.batch_norm import set_batch_norm_momentum
from darkroom.trainer.engines.keras.model import build_backbone

_BATCH_NORM_MOMENTUM = 0.9


class PretrainingConfig(BaseModel):
    """How much is rendered and how long it is trained.

    Args:
        seed: Seed of rendering, initial weights and order.
        images: Letters rendered for training.
        held_out_images: Letters rendered in held-out fonts, for the reported accuracy.
        epochs: Passes over the letters.
        batch_size: Letters per step.
        learning_rate: Peak learning rate of Adam; it falls to 0 along a cosine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 20
    images: int = Field(default=80_000, ge=1)
    held_out_images: int = Field(default=4_000, ge=1)
    epochs: int = Field(default=4, ge=1)
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)


class PretrainingResult(BaseModel):
    """What training reached on letters in fonts it never saw."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    held_out_font_accuracy: float
    held_out_font_accuracy_ignoring_case: float
    seconds: float


def render_letters(fonts: Sequence[Path], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` letters: uint8 [count, 64, 64, 1] grey levels and int64 [count] labels.

    A font's folder is drawn before the font, so that a family of twenty weights counts as one.
    The same fonts, count and seed give the same arrays.
    """
    rng = np.random.default_rng(seed)
    families: dict[Path, list[Path]] = {}
    for font in fonts:
        families.setdefault(font.parent, []).append(font)
    folders = list(families.values())
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE, 1), np.uint8)
    labels = rng.integers(len(LETTERS), size=count)
    for index, label in enumerate(labels):
        family = folders[rng.integers(len(folders))]
        font = family[rng.integers(len(family))]
        style = draw_style(rng)
        glyph = draw_glyph(load_font(font), LETTERS[label], style.stroke_width)
        images[index, :, :, 0] = render(glyph, style)
    return images, labels


def build_classifier(backbone: keras.Model) -> keras.Model:
    """Grey letters uint8 [N, 64, 64, 1] to probabilities [N, 52]."""
    images = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), dtype="uint8")
    grey = keras.ops.cast(images, "float32")
    features = backbone(BACKBONES[LETTERS_BACKBONE].preprocess(keras.ops.repeat(grey, 3, axis=-1)))
    embedding = keras.layers.GlobalAveragePooling2D()(features)
    embedding = keras.layers.Dropout(0.1)(embedding)
    return keras.Model(images, keras.layers.Dense(len(LETTERS), activation="softmax")(embedding))


def pretrain(
    train_fonts: Sequence[Path],
    held_out_fonts: Sequence[Path],
    config: PretrainingConfig,
) -> tuple[keras.Model, PretrainingResult]:
    """Trains the backbone to name letters; returns it without the classifier."""
    started = time.monotonic()
    keras.utils.set_random_seed(config.seed)
    images, labels = render_letters(train_fonts, config.images, config.seed)
    backbone = build_backbone(LETTERS_BACKBONE, IMAGE_SIZE, IMAGE_SIZE, LETTERS_ALPHA)
    set_batch_norm_momentum(backbone, _BATCH_NORM_MOMENTUM)
    classifier = build_classifier(backbone)
    steps = config.epochs * -(-len(images) // config.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 20, warmup_target=config.learning_rate, warmup_steps=steps // 20
    )
    classifier.compile(
        keras.optimizers.Adam(schedule),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    classifier.fit(
        images,
        labels,
        batch_size=config.batch_size,
        epochs=config.epochs,
        verbose=2,
    )
    held_out = render_letters(held_out_fonts, config.held_out_images, config.seed + 1)
    named, ignoring_case = held_out_accuracy(classifier, *held_out)
    return backbone, PretrainingResult(
        held_out_font_accuracy=named,
        held_out_font_accuracy_ignoring_case=ignoring_case,
        seconds=round(time.monotonic() - started, 1),
    )


def held_out_accuracy(
    classifier: keras.Model, images: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    """Share of letters named right, and share right when `o` and `O` are one letter.

    Letters fill their frame whatever their size was, so the case of `o`, `s` or `x` cannot be
    seen; the second number leaves that out.
    """
    named = np.argmax(classifier.predict(images, verbose=0), axis=1)
    half = len(LETTERS) // 2
    same_case = float(np.mean(named == labels))
    return round(same_case, 4), round(float(np.mean(named % half == labels % half)), 4)
