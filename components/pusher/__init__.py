"""Pusher: a blessed model into the serving folder, whole or not at all."""
