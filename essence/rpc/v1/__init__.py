"""Version 1 of June's protocols, package june.v1: .proto files and the code that scripts/generate-protos.sh makes."""
