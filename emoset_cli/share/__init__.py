"""Models as folders that others can use: weights, settings and a card; ONNX; the hub. `emoset_cli.shared` reads them."""
