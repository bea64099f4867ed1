"""From encoded image bytes to the tensor that the model sees; the same graph trains and serves."""
