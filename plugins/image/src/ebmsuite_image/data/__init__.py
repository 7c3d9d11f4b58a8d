"""Data sets of pictures. Importing this package does not import torchvision."""

from ebmsuite_image.data.digits import Digits
from ebmsuite_image.data.folder import Folder
from ebmsuite_image.data.pictures import Files, Pictures
from ebmsuite_image.data.public import celeba, cifar10, fashion_mnist, mnist, svhn

__all__ = ["Digits", "Files", "Folder", "Pictures", "celeba", "cifar10", "fashion_mnist", "mnist", "svhn"]
