"""What stands around a call: model names, context, rates, caps, spending. Each file can be used by itself."""
