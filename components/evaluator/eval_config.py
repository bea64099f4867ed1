"""From the recipe's `evaluation` section to TFMA's EvalConfig."""

import tensorflow_model_analysis as tfma

from components.evaluator.config import EvaluationConfig, Metric, Threshold
from transform import features

CANDIDATE = "candidate"
BASELINE = "baseline"
SIGNATURE = "serve_examples"
LABELS_SIGNATURE = "transform_features"
PREDICTIONS = "probabilities"
METRIC_CLASSES: dict[Metric, str] = {
    "accuracy": "SparseCategoricalAccuracy",
    "loss": "SparseCategoricalCrossentropy",
    "auc": "AUC",
}
SMALLER_IS_BETTER: frozenset[Metric] = frozenset({"loss"})
MAX_CLASSES_FOR_AUC = 1000
"""One-against-rest AUC keeps a histogram a class; beyond this it costs more than it tells."""


def build_eval_config(config: EvaluationConfig, classes: int) -> tfma.EvalConfig:
    """Builds TFMA's configuration.

    Args:
        config: The recipe's section.
        classes: Number of classes, for the macro average over one-against-rest AUCs.

    Returns:
        An EvalConfig with the models `candidate` and `baseline`.
    """
    return tfma.EvalConfig(
        model_specs=[_model_spec(CANDIDATE), _model_spec(BASELINE, is_baseline=True)],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[name]) for name in config.slices),
        ],
        metrics_specs=_metrics_specs(config, classes),
    )


def _model_spec(name: str, is_baseline: bool = False) -> tfma.ModelSpec:
    return tfma.ModelSpec(
        name=name,
        is_baseline=is_baseline,
        signature_name=SIGNATURE,
        preprocessing_function_names=[LABELS_SIGNATURE],
        label_key=features.LABEL_XF,
        prediction_key=PREDICTIONS,
    )


def _metrics_specs(config: EvaluationConfig, classes: int) -> list[tfma.MetricsSpec]:
    plain: tuple[Metric, ...] = ("accuracy", "loss")
    specs = [
        tfma.MetricsSpec(
            metrics=[
                *(_metric(name, config.thresholds.get(name)) for name in plain),
                tfma.MetricConfig(class_name="ExampleCount"),
                tfma.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
            ]
        )
    ]
    if classes <= MAX_CLASSES_FOR_AUC:
        every_class = tfma.AggregationOptions(
            macro_average=True, class_weights=dict.fromkeys(range(classes), 1.0)
        )
        metric = _metric("auc", config.thresholds.get("auc"))
        specs.append(tfma.MetricsSpec(metrics=[metric], aggregate=every_class))
    return specs


def _metric(name: Metric, threshold: Threshold | None) -> tfma.MetricConfig:
    metric = tfma.MetricConfig(class_name=METRIC_CLASSES[name], config=f'{{"name": "{name}"}}')
    if threshold:
        # A plain `threshold` would bound every slice as well.
        bound = metric.per_slice_thresholds.add()
        bound.slicing_specs.add()
        bound.threshold.CopyFrom(_threshold(threshold, name in SMALLER_IS_BETTER))
    return metric


def _threshold(threshold: Threshold, smaller_is_better: bool) -> tfma.MetricThreshold:
    result = tfma.MetricThreshold()
    if threshold.min is not None:
        result.value_threshold.lower_bound.value = threshold.min
    if threshold.max is not None:
        result.value_threshold.upper_bound.value = threshold.max
    if threshold.min_improvement is not None:
        sign = -1.0 if smaller_is_better else 1.0
        direction = tfma.MetricDirection
        result.change_threshold.direction = (
            direction.LOWER_IS_BETTER if smaller_is_better else direction.HIGHER_IS_BETTER
        )
        result.change_threshold.absolute.value = sign * threshold.min_improvement
    return result
