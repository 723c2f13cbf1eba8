"""gRPC: the only package that knows it. Protocols, servicers, and far players."""
