"""Images and labels in, tf.Examples and a quarantine out."""
