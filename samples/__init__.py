"""Sample data made by this project: nothing is downloaded."""
