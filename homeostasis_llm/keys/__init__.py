"""Where keys are looked for and kept. The only room that imports keyring."""
