"""How fast the model server is, next to the model alone and to a plain Flask app."""
