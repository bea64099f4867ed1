"""Serving: signatures of the SavedModel, the embedded model server and its client."""
