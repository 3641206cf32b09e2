"""Models as OpenVINO or ONNX graphs, checked against themselves."""
