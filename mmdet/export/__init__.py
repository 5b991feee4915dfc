"""A detector for other programs: ONNX, torch.export and OpenVINO files, and back from them."""
