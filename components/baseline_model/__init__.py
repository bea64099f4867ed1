"""BaselineModel: the model now served, as an artifact to compare a candidate with."""
