"""Model files: what there is, where it lies, and how it gets there."""

from essence.models.catalogue import CATALOGUE, SETS, Edition, Member, Model, ModelFile, Package
from essence.models.fetch import Fetch, Progress, need_offline
from essence.models.shelf import Shelf, require, sha256

__all__ = [
    "CATALOGUE", "SETS", "Edition", "Fetch", "Member", "Model", "ModelFile", "Package", "Progress", "Shelf",
    "need_offline", "require", "sha256",
]  # fmt: skip
