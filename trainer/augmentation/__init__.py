"""Random variation of training images, one op a file.

Only `augment` imports TensorFlow when it is imported: a recipe, whose section lists the ops, is
checked before anything slow is loaded.
"""
