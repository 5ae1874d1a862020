"""How fast each stage is, beside its plain form and the most that the device does."""
