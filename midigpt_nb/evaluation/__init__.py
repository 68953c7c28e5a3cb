"""Measuring models: a small sampler, adherence of sampled infills, and n-gram baselines."""
