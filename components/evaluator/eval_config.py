"""From the recipe's `evaluation` section to TFMA's EvalConfig."""

import json

from tensorflow_model_analysis import constants as tfma_constants
from tensorflow_model_analysis.proto import config_pb2

from darkroom.components.evaluator.config import EvaluationConfig, Threshold
from darkroom.components.evaluator.metrics import METRICS, Metric
from darkroom.transform import features

CANDIDATE = "candidate"
BASELINE = "baseline"
SIGNATURE = "serve_examples"
LABELS_SIGNATURE = "transform_features"
PREDICTIONS = "probabilities"
MAX_CLASSES_AGAINST_REST = 1000
"""One against the rest keeps a histogram a class; beyond this it costs more than it tells."""


def build_eval_config(config: EvaluationConfig, classes: int) -> config_pb2.EvalConfig:
    """Builds TFMA's configuration.

    Args:
        classes: Number of classes, for the macro average of each against the rest.
    """
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(CANDIDATE), _model_spec(BASELINE, is_baseline=True)],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[name]) for name in config.slices),
        ],
        metrics_specs=_metrics_specs(config, classes),
    )


def _model_spec(name: str, is_baseline: bool = False) -> config_pb2.ModelSpec:
    return config_pb2.ModelSpec(
        name=name,
        is_baseline=is_baseline,
        # Left out, TFMA loads the model once more to find out.
        model_type=tfma_constants.TF_GENERIC,
        signature_name=SIGNATURE,
        preprocessing_function_names=[LABELS_SIGNATURE],
        label_key=features.LABEL_XF,
        prediction_key=PREDICTIONS,
    )


def _metrics_specs(config: EvaluationConfig, classes: int) -> list[config_pb2.MetricsSpec]:
    bounds = config.thresholds
    plain = [_metric(m, bounds.get(m.name)) for m in METRICS.values() if not m.one_against_rest]
    ranked = [_metric(m, bounds.get(m.name)) for m in METRICS.values() if m.one_against_rest]
    specs = [
        config_pb2.MetricsSpec(
            metrics=[
                *plain,
                config_pb2.MetricConfig(class_name="ExampleCount"),
                config_pb2.MetricConfig(class_name="MultiClassConfusionMatrixPlot"),
            ]
        )
    ]
    if classes <= MAX_CLASSES_AGAINST_REST:
        every_class = config_pb2.AggregationOptions(
            macro_average=True, class_weights=dict.fromkeys(range(classes), 1.0)
        )
        specs.append(config_pb2.MetricsSpec(metrics=ranked, aggregate=every_class))
    return specs


def _metric(metric: Metric, threshold: Threshold | None) -> config_pb2.MetricConfig:
    config = config_pb2.MetricConfig(
        class_name=metric.class_name, config=json.dumps({"name": metric.name, **metric.settings})
    )
    if threshold:
        # A plain `threshold` would bound every slice as well.
        bound = config.per_slice_thresholds.add()
        bound.slicing_specs.add()
        bound.threshold.CopyFrom(_threshold(threshold, metric.smaller_is_better))
    return config


def _threshold(threshold: Threshold, smaller_is_better: bool) -> config_pb2.MetricThreshold:
    result = config_pb2.MetricThreshold()
    if threshold.min is not None:
        result.value_threshold.lower_bound.value = threshold.min
    if threshold.max is not None:
        result.value_threshold.upper_bound.value = threshold.max
    if threshold.min_improvement is not None:
        sign = -1.0 if smaller_is_better else 1.0
        direction = config_pb2.MetricDirection
        result.change_threshold.direction = (
            direction.LOWER_IS_BETTER if smaller_is_better else direction.HIGHER_IS_BETTER
        )
        result.change_threshold.absolute.value = sign * threshold.min_improvement
    return result
