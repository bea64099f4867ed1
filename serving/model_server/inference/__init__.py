"""What a model is asked: predict, classify, regress, and the checks against its signatures."""
