"""The only room that imports litellm: our values to its calls and back, its exceptions to our errors."""
