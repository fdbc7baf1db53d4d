"""Measures the market-data line: frames in, MQTT out through a real broker."""
