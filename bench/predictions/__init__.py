"""Predictions measured: skill on the demo's year, series forecasts against naive ones, scale."""
