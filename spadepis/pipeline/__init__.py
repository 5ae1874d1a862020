"""The dataset job: plan, Ray Data stages, and the run of them."""
