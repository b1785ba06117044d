"""Models as folders that others can use: weights, settings and a card; ONNX; the hub."""
