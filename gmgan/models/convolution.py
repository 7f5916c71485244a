"""Convolutions that halve an image and transposed ones that double it, quick on CPUs.

Both join a fine image (N x C x 2H x 2W) with a coarse one (N x K x H x W) by a kernel of 4 x 4
pixels and stride 2 (K x C x 4 x 4). Where the coarse image is small, or the fine one has few
channels, products of matrices beat the library's float32 convolutions; those serve everywhere else.
"""

import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, fold

SMALL = 4  # height and width of a coarse image
FEW = 4  # channels of a fine image


class Halving(nn.Conv2d):
    """A convolution to half the height and width, which must be even."""

    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__(in_channels, out_channels, 4, 2, 1, bias=bias)

    def forward(self, fine):
        small, few = _by_products(fine, self.weight, [size // 2 for size in fine.shape[2:]])
        small &= self.weight.requires_grad  # patches pay if the way back needs them, too
        few &= fine.requires_grad  # it is the way back that has few channels
        if small or few:
            return _Halve.apply(fine, self.weight, self.bias, small, few)
        return super().forward(fine)


class Doubling(nn.ConvTranspose2d):
    """A transposed convolution to twice the height and width."""

    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__(in_channels, out_channels, 4, 2, 1, bias=bias)

    def forward(self, coarse):
        small, few = _by_products(coarse, self.weight, coarse.shape[2:])
        if small or few:
            return _Double.apply(coarse, self.weight, self.bias, small, few)
        return super().forward(coarse)


class _Halve(torch.autograd.Function):
    @staticmethod
    def forward(ctx, fine, kernel, bias, small, few):
        patches = patches_of(fine) if small else None
        ctx.save_for_backward(fine, kernel, patches)
        ctx.few = few
        return to_coarse(fine, kernel, bias, patches)

    @staticmethod
    def backward(ctx, coarse):
        fine, kernel, patches = ctx.saved_tensors
        for_fine, for_kernel, for_bias = ctx.needs_input_grad[:3]
        few = ctx.few
        if torch.is_grad_enabled():  # for gradients of gradients
            few, patches = False, None
        return (
            to_fine(coarse, kernel, None, few) if for_fine else None,
            to_kernel(fine, coarse, kernel, patches) if for_kernel else None,
            coarse.sum((0, 2, 3)) if for_bias else None,
            None,
            None,
        )


class _Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, coarse, kernel, bias, small, few):
        ctx.save_for_backward(coarse, kernel)
        ctx.small = small
        return to_fine(coarse, kernel, bias, few)

    @staticmethod
    def backward(ctx, fine):
        coarse, kernel = ctx.saved_tensors
        for_coarse, for_kernel, for_bias = ctx.needs_input_grad[:3]
        small = ctx.small and not torch.is_grad_enabled()
        patches = patches_of(fine) if small else None
        return (
            to_coarse(fine, kernel, None, patches) if for_coarse else None,
            to_kernel(fine, coarse, kernel, patches) if for_kernel else None,
            fine.sum((0, 2, 3)) if for_bias else None,
            None,
            None,
        )


def _by_products(image, kernel, coarse_size):
    """Whether matrix products pay: for patches of the fine image, and for the fine image."""
    device = image.device.type
    if device != "cpu" or torch.is_autocast_enabled(device) or image.dtype.itemsize < 4:
        return False, False
    return max(coarse_size) <= SMALL, kernel.shape[1] <= FEW


def patches_of(fine):
    """What each pixel of the coarse image sees, as a channels-last kernel is ordered: NHW x 16C."""
    n, channels, height, width = fine.shape
    padded = fine.new_zeros(n, height + 2, width + 2, channels)
    padded[:, 1:-1, 1:-1] = fine.permute(0, 2, 3, 1)
    per_image, per_row, per_pixel, _ = padded.stride()
    shape = (n, height // 2, width // 2, 4, 4, channels)
    strides = (per_image, 2 * per_row, 2 * per_pixel, per_row, per_pixel, 1)
    return padded.as_strided(shape, strides).reshape(-1, 16 * channels)


def _rows(image):
    """The pixels of an image: NHW x channels."""
    return image.permute(0, 2, 3, 1).reshape(-1, image.shape[1])


def to_coarse(fine, kernel, bias, patches):
    """The coarse image of a fine one, by a product if its `patches` are given."""
    if patches is None:
        return conv2d(fine, kernel, bias, 2, 1)
    n, _, height, width = fine.shape
    shape = (n, len(kernel), height // 2, width // 2)
    coarse = torch.empty(shape, dtype=fine.dtype, memory_format=torch.channels_last)
    rows = coarse.permute(0, 2, 3, 1).view(-1, len(kernel))
    weights = kernel.permute(0, 2, 3, 1).reshape(len(kernel), -1).t()
    if bias is None:
        torch.mm(patches, weights, out=rows)
    else:
        torch.addmm(bias, patches, weights, out=rows)
    return coarse


def to_fine(coarse, kernel, bias, by_product):
    """The fine image of a coarse one."""
    if not by_product:
        return conv_transpose2d(coarse, kernel, bias, 2, 1)
    n, channels, height, width = coarse.shape
    pixels = _rows(coarse).view(n, height * width, channels)
    columns = kernel.reshape(channels, -1).t() @ pixels.transpose(1, 2)
    fine = fold(columns, (2 * height, 2 * width), 4, padding=1, stride=2)
    fine = fine.contiguous(memory_format=torch.channels_last)
    return fine if bias is None else fine.add_(bias[:, None, None])


def to_kernel(fine, coarse, kernel, patches):
    """The kernel's gradient from a fine and a coarse image, one of which is a gradient."""
    if patches is None:
        only_kernel = (False, True, False)
        return torch.ops.aten.convolution_backward(
            coarse, fine, kernel, None, (2, 2), (1, 1), (1, 1), False, (0, 0), 1, only_kernel
        )[1]
    gradient = _rows(coarse).t() @ patches
    return gradient.view(len(kernel), 4, 4, -1).permute(0, 3, 1, 2)
