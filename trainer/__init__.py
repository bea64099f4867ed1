"""Training: data input, augmentation, backbones, model, engine and `run_fn`."""
