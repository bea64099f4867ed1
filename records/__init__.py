"""What nodes tell each other, the runner and the report: a class each, which writes and reads it.

On disk each is a JSON file in an artifact's folder, or an artifact's custom properties.
"""
