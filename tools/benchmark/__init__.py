"""The throughput of each stage, beside its textbook form and the peak of the device."""
