"""How fast photographs get from a folder into a trained model, beside what people would write."""
