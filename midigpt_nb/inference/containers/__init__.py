"""The file formats a model can come in, one file each. None of them runs anything that is in the file."""
