"""Training with Keras, by one replica or several."""
