"""What every chat platform shares: hear → think → show → speak. No SDK, no gRPC."""
