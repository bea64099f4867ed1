"""Models that can be asked: SavedModels and TFLite models, and their warm-up."""
