"""The parts that every model is built of."""
