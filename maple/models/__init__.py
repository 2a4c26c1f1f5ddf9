"""What a model is: how it is loaded, encoded for, built and measured."""
