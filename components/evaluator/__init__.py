"""Evaluator: TFX's, with a baseline that may be absent and results that read without TFMA."""
