"""Programs as ONNX graphs: a traced program, operation by operation, with ONNX's own recurrent operators over time."""
