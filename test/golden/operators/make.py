"""Writes calls.json and tensors.safetensors: what PyTorch's operators answer to some 500 calls.

    python test/golden/operators/make.py

Each call is [operator, arguments, keyword arguments, results]; a tensor is {"t": name in
tensors.safetensors}, a random generator {"generator": seed}, numbers that JSON lacks
{"float": "inf"}. Made with PyTorch 2.13 on a CPU, one thread.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file

torch.manual_seed(0)
torch.set_num_threads(1)
torch.set_grad_enabled(False)

T = {}


def add(name, value):
    T[name] = value.contiguous()


add('a', torch.randn(3, 4))
add('b', torch.randn(3, 4))
add('pos', torch.rand(3, 4) + 0.1)
add('unit', torch.rand(3, 4) * 1.8 - 0.9)
add('row', torch.randn(4))
add('col', torch.randn(3, 1))
add('cube', torch.randn(2, 3, 4))
add('sq', torch.randn(4, 4))
add('spd', (lambda m: m @ m.T + 4 * torch.eye(4))(torch.randn(4, 4)))
add('batch', torch.randn(2, 4, 4))
add('tall', torch.randn(5, 3))
add('i', torch.randint(-9, 10, (3, 4)))
add('j', torch.randint(1, 7, (3, 4)))
add('bits', torch.randint(0, 64, (3, 4), dtype=torch.int32))
add('u8', torch.randint(0, 255, (3, 4), dtype=torch.uint8))
add('mask', torch.rand(3, 4) > 0.5)
add('flags', torch.rand(3, 4) > 0.3)
add('idx', torch.tensor([2, 0]))
add('gidx', torch.randint(0, 3, (2, 4)))
add('cls', torch.tensor([1, 3, 0]))
add('odd', torch.tensor([0.0, -0.0, float('inf'), float('-inf'), float('nan'), 1.5, -2.5, 1e-30]))
add('half', torch.randn(3, 4).half())
add('bf', torch.randn(3, 4).bfloat16())
add('bg', torch.randn(4, 5).bfloat16())
add('dbl', torch.randn(3, 4, dtype=torch.float64))
add('signal', torch.randn(2, 32))
add('seq', torch.randn(2, 3, 10))
add('img', torch.randn(2, 3, 8, 8))
add('vol', torch.randn(1, 2, 4, 4, 4))
add('k1', torch.randn(4, 3, 3))
add('k2', torch.randn(4, 3, 3, 3))
add('k2t', torch.randn(3, 4, 3, 3))
add('k3', torch.randn(2, 2, 2, 2, 2))
add('bias4', torch.randn(4))
add('grid', torch.rand(2, 5, 5, 2) * 2 - 1)
add('w3', torch.rand(3) + 0.5)
add('z3', torch.randn(3))
add('v3', torch.rand(3) + 0.5)
add('w54', torch.randn(5, 4))
add('bias5', torch.randn(5))
add('table', torch.randn(10, 4))
add('tok', torch.randint(0, 10, (6,)))
add('off', torch.tensor([0, 2, 5]))
add('q', torch.randn(1, 2, 5, 8))
add('k', torch.randn(1, 2, 5, 8))
add('v', torch.randn(1, 2, 5, 8))
add('attn', torch.rand(1, 1, 5, 5) > 0.2)
add('logits', torch.randn(3, 5))
add('prob', torch.rand(3, 4))
add('sorted', torch.sort(torch.randn(6)).values)
add('x1', torch.randn(2, 3))
add('h', torch.randn(2, 4))
add('wih', torch.randn(16, 3))
add('whh', torch.randn(16, 4))
add('gih', torch.randn(12, 3))
add('ghh', torch.randn(12, 4))
inputs = set(T)
T['zre'], T['zim'] = torch.randn(3, 4), torch.randn(
    3, 4
)  # safetensors holds no complex numbers: calls make them
inputs |= {'zre', 'zim'}


class Ref(str):
    """A tensor of the file."""


class Made:
    """A tensor made by another call: an argument of a kind the file cannot hold."""

    def __init__(self, op, *args, **kwargs):
        self.call = (op, args, kwargs)


class Gen(int):
    """A generator with this seed."""


class Raw(str):
    """A string as it stands, not the name of a tensor."""


calls = []
dtypes = {
    str(d)[6:]: d
    for d in [
        torch.float32,
        torch.float64,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.uint8,
        torch.bool,
        torch.complex64,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
    ]
}


def packet(name):
    namespace = torch.ops.aten
    for part in name.split('.'):
        namespace = getattr(namespace, part)
    return namespace


def value(x, name=None):
    """For PyTorch."""
    if isinstance(x, Made):
        return run(*x.call)
    if isinstance(x, Gen):
        return torch.Generator().manual_seed(int(x))
    if isinstance(x, Raw):
        return str(x)
    if isinstance(x, str):
        return T[x] if x in inputs else dtypes.get(x, x)
    if isinstance(x, (list, tuple)):
        return [value(e) for e in x]
    return x


def text(x):
    """For JSON."""
    if isinstance(x, Made):
        op, args, kwargs = x.call
        return {'call': [op, [text(a) for a in args], {k: text(v) for k, v in kwargs.items()}]}
    if isinstance(x, Gen):
        return {'generator': int(x)}
    if isinstance(x, Raw):
        return str(x)
    if isinstance(x, str):
        return {'t': x} if x in inputs else x
    if isinstance(x, (list, tuple)):
        return [text(e) for e in x]
    if isinstance(x, complex):
        return {'re': x.real, 'im': x.imag}
    if isinstance(x, float) and (x != x or x in (float('inf'), float('-inf'))):
        return {'float': str(x)}
    return x


def run(op, args, kwargs):
    return packet(op)(*[value(a) for a in args], **{k: value(v) for k, v in kwargs.items()})


def result(x, name):
    if isinstance(x, torch.Tensor):
        x = x.to_dense() if x.layout != torch.strided else x
        kind = str(x.dtype)[6:]
        if x.is_complex():
            x = torch.view_as_real(x.resolve_conj())
        if kind.startswith('float8'):
            x = x.float()
        T[name] = x.contiguous().clone()
        return {'t': name, 'dtype': kind}
    if isinstance(x, (list, tuple)):
        return [result(e, f'{name}.{i}') for i, e in enumerate(x)]
    return text(x)


codes = {
    5: 'float16',
    6: 'float32',
    7: 'float64',
}  # PyTorch gives dtypes that operators return as numbers


def c(op, *args, **kwargs):
    out = run(op, args, kwargs)
    if op in ('result_type', 'promote_types'):
        out = codes[out]
    calls.append(
        [
            op,
            [text(a) for a in args],
            {k: text(v) for k, v in kwargs.items()},
            result(out, f'r{len(calls)}'),
        ]
    )


Z = Made('complex', 'zre', 'zim')
W = Made('complex', 'zim', 'pos')

# Pointwise
for op in '''
    abs neg sign sgn exp exp2 expm1 sin cos tan sinh cosh tanh asinh atan sigmoid relu relu6
    hardswish hardsigmoid hardtanh silu mish gelu softplus softsign elu selu celu leaky_relu
    log_sigmoid ceil floor round trunc frac erf erfc square isnan isinf isfinite isneginf
    isposinf signbit nan_to_num logical_not sinc deg2rad rad2deg hardshrink softshrink
    tanhshrink threshold special_i0 special_i0e special_i1 special_i1e special_ndtr
    special_entr special_expit special_erfcx special_log_ndtr special_bessel_j0
    special_bessel_j1 special_bessel_y0
'''.split():
    if op == 'softsign' or op == 'tanhshrink':
        continue  # PyTorch composes them in Python
    c(op, 'a', *({'threshold': [0.1, -3.0]}.get(op, [])))
for op in '''
    log log2 log10 log1p sqrt rsqrt reciprocal lgamma digamma special_k0 special_psi
    special_gammaln special_modified_bessel_i0 special_modified_bessel_i1
    special_modified_bessel_k0 special_modified_bessel_k1 special_scaled_modified_bessel_k0
'''.split():
    if op != 'special_k0':
        c(op, 'pos')
for op in '''
    asin acos atanh erfinv special_erfinv special_spherical_bessel_j0 arcsin arccos arctanh
'''.split():
    c(op, 'unit')
c('acosh', Made('add', 'pos', 1.0))
c('logit', 'prob', 1e-6)
c('special_ndtri', 'prob')
c('polygamma', 2, 'pos')
c('mvlgamma', Made('add', 'pos', 2.0), 2)
for op in 'abs sign neg nan_to_num isnan signbit isfinite exp sigmoid round frac'.split():
    c(op, 'odd')
for op in 'exp gelu silu tanh abs neg sqrt_'.replace(' sqrt_', '').split():
    c(op, 'bf')
    c(op, 'half')
for op in 'abs angle conj conj_physical real imag exp log sin sqrt reciprocal sgn square'.split():
    c(op, Z)
for op in 'bitwise_not abs sign neg square'.split():
    c(op, 'bits')

for op in '''
    add sub mul div maximum minimum fmax fmin atan2 copysign hypot logaddexp logaddexp2 eq ne
    lt le gt ge floor_divide remainder fmod nextafter heaviside xlogy float_power
    special_xlog1py special_zeta true_divide multiply subtract divide arctan2 isclose
    logical_and logical_or logical_xor rsub
'''.split():
    left, right = (
        ('pos', 'pos')
        if op in ('float_power', 'special_zeta', 'special_xlog1py', 'xlogy')
        else ('a', 'b')
    )
    c(op, left, right)
for op in 'add mul sub div pow remainder fmod eq lt floor_divide'.split():
    c(op, 'pos', 2)
    c(op, 'pos', 0.5)
for op in 'bitwise_and bitwise_or bitwise_xor'.split():
    c(op, 'bits', 'bits')
    c(op, 'bits', 12)
c('bitwise_left_shift', 'bits', 2)
c('bitwise_right_shift', 'bits', 1)
c('gcd', 'i', 'j')
c('lcm', 'i', 'j')
c('add', 'a', 'row')
c('add', 'a', 'col')
c('add', 'a', 'b', alpha=0.25)
c('add', 'i', 'j')
c('add', 'i', 'a')
c('add', 'bf', 'a')
c('mul', 'half', 'half')
c('mul', 'bf', 'bf')
c('mul', Z, W)
c('mul', Z, 2 + 1j)
c('div', Z, W)
c('div', 'i', 'j')
c('div', 'i', 'j', rounding_mode=Raw('floor'))
c('div', 'i', 'j', rounding_mode=Raw('trunc'))
c('remainder', 'i', 'j')
c('fmod', 'i', 'j')
c('pow', 'pos', 'a')
c('pow', 2, 'a')
c('pow', 'i', 2)
c('where', 'mask', 'a', 'b')
c('where', 'mask', 'a', 0.0)
c('clamp', 'a', -0.5, 0.5)
c('clamp', 'a', None, 0.25)
c('clamp', 'a', 'unit', None)
c('clamp_min', 'a', 0.1)
c('clamp_max', 'a', 0.1)
c('lerp', 'a', 'b', 0.3)
c('lerp', 'a', 'b', 'prob')
c('addcmul', 'a', 'b', 'pos', value=0.5)
c('addcdiv', 'a', 'b', 'pos', value=0.5)
c('prelu', 'a', Made('mul', 'row', 0.1))
c('glu', 'a', 1)
c('rsub', 'a', 1.0)
c('complex', 'zre', 'zim')
c('polar', 'pos', 'zim')
c('view_as_real', Z)
c('frexp', 'a')
c('ldexp', 'a', 'i')
c('gelu', 'a', approximate=Raw('tanh'))
c('elu', 'a', 0.5)
c('leaky_relu', 'a', 0.2)
c('softplus', 'a', 2.0, 1.0)

# Reductions
for op in '''
    sum mean std var amax amin prod nansum logsumexp argmax argmin max min median mode all any
    cumsum cumprod logcumsumexp norm count_nonzero cummax cummin
'''.split():
    if op in ('cumsum', 'cumprod', 'logcumsumexp', 'cummax', 'cummin'):
        c(op, 'a', 1)
        c(op, 'cube', -2)
    elif op in ('amax', 'amin', 'logsumexp'):
        c(op, 'cube', [0, 2])
        c(op, 'a', [1], True)
    elif op in ('sum', 'mean', 'std', 'var', 'nansum'):
        c(op, 'a')
        c(op, 'cube', [1])
        c(op, 'cube', [0, -1], keepdim=True)
    elif op == 'norm':
        c(op, 'a')
        c(op, 'a', 1, [1])
    elif op in ('all', 'any', 'count_nonzero'):
        c(op, 'mask')
        c(op, 'mask', 1)
    elif op == 'mode':
        c(op, 'j', 1)
    else:
        c(op, 'a')
        c(op, 'a', 1)
c('sum', 'bf', dtype='float32')
c('sum', 'i')
c('sum', Z, [0])
c('mean', 'half', [0])
c('var', 'cube', [1], correction=0)
c('var', 'a', False)
c('std', 'a', [1], correction=2)
c('var_mean', 'cube', [2])
c('std_mean', 'cube', [2])
c('aminmax', 'a', dim=1)
c('kthvalue', 'a', 2, 1)
c('quantile', 'a', 0.3, 1)
c('nanquantile', 'a', 0.5)
c('nanmedian', 'a')
c('nanmean', 'odd')
c('histc', 'a', 5, -2, 2)
c('histogram', 'a', 4)
c('bincount', 'tok')
c('bucketize', 'a', 'sorted')
c('searchsorted', 'sorted', 'a', right=True)
c('trace', 'sq')
c('diff', 'a')
c('trapezoid', 'a')
c('cumulative_trapezoid', 'a')
c('renorm', 'a', 2, 0, 1.0)
c('dist', 'a', 'b', 2)
c('cdist', 'tall', 'tall', 2.0)
c('pdist', 'tall')
c('cosine_similarity', 'a', 'b', 1)
c('pairwise_distance', 'a', 'b')
c('corrcoef', 'a')
c('cov', 'a')

# Softmaxes, sorting, selection
c('softmax', 'a', 1)
c('softmax', 'bf', 1)
c('softmax', 'a', 0, dtype='float64')
c('log_softmax', 'cube', -1)
c('_softmax', 'a', 1, False)
c('sort', 'a', 1, True)
c('sort', 'i', stable=True, dim=1, descending=False)
c('argsort', 'a', 1)
c('topk', 'a', 2)
c('topk', 'cube', 2, 1, False)
c('msort', 'a')
c('unique_dim', 'j', 1)
c('unique_consecutive', 'sorted')
c('_unique2', 'j', True, True, True)
c('isin', 'i', 'j')

# Shape and indexing
c('reshape', 'cube', [4, -1])
c('view', 'cube', [6, 4])
c('view', 'a', 'int32')
c('permute', 'cube', [2, 0, 1])
c('transpose', 'cube', 0, 2)
c('t', 'a')
c('squeeze', 'col')
c('squeeze', 'col', [1])
c('unsqueeze', 'a', 1)
c('expand', 'col', [3, 5])
c('repeat', 'a', [2, 1])
c('repeat_interleave', 'a', 2, 1)
c('tile', 'a', [1, 2])
c('flip', 'cube', [0, 2])
c('fliplr', 'a')
c('rot90', 'a', 1, [0, 1])
c('roll', 'a', [1, -1], [0, 1])
c('narrow', 'a', 1, 1, 2)
c('select', 'a', 0, -1)
c('slice', 'a', 1, 0, 4, 2)
c('split', 'a', 2, 1)
c('split_with_sizes', 'a', [1, 3], 1)
c('chunk', 'a', 3, 1)
c('tensor_split', 'a', 2, 1)
c('unbind', 'a', 0)
c('cat', ['a', 'b'], 1)
c('stack', ['a', 'b'], 2)
c('hstack', ['a', 'b'])
c('vstack', ['a', 'row'])
c('block_diag', ['a', 'sq'])
c('cartesian_prod', ['idx', 'cls'])
c('combinations', 'row', 2)
c('meshgrid', ['idx', 'cls'], indexing=Raw('ij'))
c('flatten', 'cube', 1)
c('unflatten', 'a', 1, [2, 2])
c('movedim', 'cube', [0], [2])
c('swapaxes', 'cube', 0, 1)
c('diagonal', 'sq', 1)
c('diag', 'row')
c('diag_embed', 'a')
c('diagflat', 'row', 1)
c('tril', 'sq')
c('triu', 'sq', 1)
c('tril_indices', 3, 4)
c('triu_indices', 3, 4, 1)
c('vander', 'row', 3)
c('index_select', 'a', 0, 'idx')
c('gather', 'a', 0, 'gidx')
c('take', 'a', 'idx')
c('take_along_dim', 'a', 'gidx', 0)
c('index', 'a', [None, 'idx'])
c('index', 'a', ['mask'])
c('index_put', 'a', ['idx'], 'row')
c('index_put', 'a', ['idx'], 'row', True)
c('index_add', 'a', 0, 'idx', Made('mul', Made('narrow', 'b', 0, 0, 2), 2.0))
c('index_copy', 'a', 0, 'idx', Made('narrow', 'b', 0, 0, 2))
c('index_fill', 'a', 1, 'idx', -1.0)
c('index_reduce', 'a', 0, 'idx', Made('narrow', 'b', 0, 0, 2), Raw('amax'))
c('scatter', 'a', 0, 'gidx', 'b')
c('scatter', 'a', 0, 'gidx', 9.0)
c('scatter_add', 'a', 0, 'gidx', 'b')
c('scatter_reduce', 'a', 0, 'gidx', 'b', Raw('mean'))
c('masked_fill', 'a', 'mask', -1.0)
c('masked_select', 'a', 'mask')
c('masked_scatter', 'a', 'mask', 'b')
c('nonzero', 'mask')
c('argwhere', 'mask')
c('select_scatter', 'a', 'row', 0, 1)
c('slice_scatter', 'a', 'col', 1, 1, 2)
c('diagonal_scatter', 'sq', 'row')
c('as_strided', 'a', [2, 2], [1, 5], 1)
c('unfold', 'row', 0, 2, 1)
c('constant_pad_nd', 'a', [1, 2], 3.0)
c('pad', 'img', [1, 1, 1, 1], Raw('reflect'))
c('pixel_shuffle', Made('reshape', 'img', [1, 4, 8, 12]), 2)
c('pixel_unshuffle', 'img', 2)
c('channel_shuffle', Made('reshape', 'img', [1, 6, 8, 8]), 3)
c('im2col', 'img', [3, 3], [1, 1], [0, 0], [2, 2])
c('one_hot', 'cls', 5)
c('to', 'a', 'bfloat16')
c('to', 'a', 'float16')
c('to', 'a', 'float8_e4m3fn')
c('to', 'a', 'float8_e5m2')
c('to', 'i', 'uint8')
c('to', 'a', 'int64')
c('to', 'dbl', 'float32')
c('clone', 'a')

# Made of nothing
c('zeros', [2, 3])
c('ones', [2, 3], dtype='bfloat16')
c('full', [2, 2], 3)
c('full', [2, 2], 3, dtype='float32')
c('full', [2], float('inf'))
c('arange', 5)
c('arange', 1, 10, 3)
c('arange', 0.0, 1.0, 0.25)
c('linspace', 0, 1, 5)
c('logspace', 0, 2, 3)
c('eye', 3, 4)
c('zeros_like', 'a')
c('full_like', 'a', 2.5)
c('new_ones', 'a', [2])
c('hann_window', 6)
c('hamming_window', 6)
c('kaiser_window', 6)
c('bartlett_window', 6)
c('scalar_tensor', 2.5)
for op, args in [
    ('rand', [[2, 3]]),
    ('randn', [[2, 3]]),
    ('randint', [10, [2, 3]]),
    ('randperm', [9]),
]:
    c(op, *args, generator=Gen(7))
c('bernoulli', 'prob', generator=Gen(3))
c('multinomial', 'prob', 2, generator=Gen(3))
c('normal', 'a', 'pos', generator=Gen(5))
c('poisson', 'pos', Gen(5))

# Linear algebra
c('matmul', 'a', 'sq')
c('matmul', 'batch', 'sq')
c('matmul', 'bf', 'bg')
c('mm', 'a', 'sq')
c('bmm', 'batch', 'batch')
c('mv', 'a', 'row')
c('dot', 'row', 'row')
c('vdot', 'row', 'row')
c('outer', 'row', 'z3')
c('inner', 'a', 'row')
c('kron', 'x1', 'x1')
c('addmm', 'a', 'a', 'sq', beta=0.5, alpha=2.0)
c('addmv', 'z3', 'a', 'row')
c('addbmm', 'sq', 'batch', 'batch')
c('baddbmm', 'batch', 'batch', 'batch')
c('addr', 'a', 'z3', 'row')
c('einsum', Raw('bij,jk->bik'), ['batch', 'sq'])
c('tensordot', 'a', 'b', [1], [1])
c('chain_matmul', ['a', 'sq', 'sq'])
c('linalg_multi_dot', ['a', 'sq', 'sq'])
c('linear', 'a', 'w54', 'bias5')
c('cross', Made('t', 'tall'), Made('t', 'tall'), 0)
c('linalg_cross', 'tall', 'tall')
c('linalg_det', 'sq')
c('linalg_slogdet', 'sq')
c('linalg_inv', 'spd')
c('linalg_pinv', 'tall')
c('linalg_solve', 'spd', 'sq')
c('linalg_cholesky', 'spd')
c('linalg_eigvalsh', 'spd')
c('linalg_svdvals', 'tall')
c('linalg_matrix_norm', 'a')
c('linalg_matrix_norm', 'a', Raw('nuc'))
c('linalg_vector_norm', 'cube', 3, [1])
c('linalg_norm', 'a')
c('linalg_cond', 'spd')
c('linalg_matrix_rank', 'spd')
c('linalg_matrix_power', 'sq', 3)
c('linalg_matrix_exp', 'sq')
c('linalg_lu_factor', 'spd')
c('linalg_solve_triangular', Made('tril', 'spd'), 'sq', upper=False)
c('linalg_vander', 'row')
c('cholesky_solve', 'sq', Made('linalg_cholesky', 'spd'))
c('cholesky_inverse', Made('linalg_cholesky', 'spd'))
c('matrix_exp', 'sq')
c('logdet', 'spd')

# Transforms
for op in 'fft_fft fft_ifft fft_rfft fft_fft2 fft_rfft2 fft_hfft fft_ihfft'.split():
    c(op, 'signal')
c('fft_fft', 'signal', 16, -1, Raw('ortho'))
c('fft_irfft', Made('fft_rfft', 'signal'))
c('fft_fftshift', 'signal')
c('fft_ifftshift', 'signal')
c('fft_fftfreq', 8)
c('fft_rfftfreq', 8)
c('stft', 'signal', 8, 4, 8, Made('hann_window', 8), False, True, True)

# Neural networks
c('conv1d', 'seq', 'k1', 'bias4')
c('conv1d', 'seq', 'k1', None, [2], [1])
c('conv2d', 'img', 'k2', 'bias4', [1, 1], [1, 1])
c('conv2d', 'img', 'k2', None, [2, 2], [0, 0], [2, 2])
c('conv3d', 'vol', 'k3')
c('conv_transpose2d', 'img', 'k2t', 'bias4', [2, 2])
c('max_pool1d', 'seq', [2])
c('max_pool2d', 'img', [2, 2])
c('max_pool2d_with_indices', 'img', [3, 3], [2, 2], [1, 1])
c('max_pool3d', 'vol', [2, 2, 2])
c('avg_pool1d', 'seq', [2])
c('avg_pool2d', 'img', [2, 2], [2, 2], [1, 1], False, False)
c('avg_pool3d', 'vol', [2, 2, 2])
c('adaptive_avg_pool1d', 'seq', [4])
c('adaptive_avg_pool2d', 'img', [3, 3])
c('adaptive_max_pool2d', 'img', [3, 3])
c('upsample_nearest2d', 'img', [12, 12])
c('upsample_bilinear2d', 'img', [12, 12], False)
c('upsample_bicubic2d', 'img', [5, 5], True)
c('upsample_linear1d', 'seq', [15], False)
c('grid_sampler', 'img', 'grid', 0, 0, False)
c(
    'affine_grid_generator',
    Made('reshape', Made('slice', 'a', 0, 0, 3), [2, 2, 3]),
    [2, 1, 3, 3],
    False,
)
c('layer_norm', 'a', [4], 'row', 'bias4')
c('native_layer_norm', 'a', [4], 'row', None, 1e-5)
c('rms_norm', 'a', [4], 'row')
c('group_norm', 'img', 3, 'w3', 'z3')
c('batch_norm', 'img', 'w3', 'z3', 'z3', 'v3', False, 0.1, 1e-5, False)
c('instance_norm', 'img', 'w3', 'z3', None, None, True, 0.1, 1e-5, False)
c('embedding', 'table', 'tok')
c('embedding_bag', 'table', 'tok', 'off')
c('embedding_bag', 'table', 'tok', 'off', False, 1)
c('scaled_dot_product_attention', 'q', 'k', 'v')
c('scaled_dot_product_attention', 'q', 'k', 'v', None, 0.0, True)
c('scaled_dot_product_attention', 'q', 'k', 'v', 'attn', scale=0.5)
c('dropout', 'a', 0.5, False)
c('alpha_dropout', 'a', 0.5, False)
c('lstm_cell', 'x1', ['h', 'h'], 'wih', 'whh')
c('gru_cell', 'x1', 'h', 'gih', 'ghh')
c('rnn_tanh_cell', 'x1', 'h', Made('slice', 'wih', 0, 0, 4), Made('slice', 'whh', 0, 0, 4))
c('cross_entropy_loss', 'logits', 'cls')
c('cross_entropy_loss', 'logits', 'cls', None, 1, -100, 0.1)
c('nll_loss', Made('log_softmax', 'logits', 1), 'cls', None, 2)
c('mse_loss', 'a', 'b')
c('l1_loss', 'a', 'b', 0)
c('smooth_l1_loss', 'a', 'b')
c('huber_loss', 'a', 'b')
c('kl_div', Made('log_softmax', 'a', 1), Made('softmax', 'b', 1), 2)
c('binary_cross_entropy', 'prob', Made('to', 'mask', 'float32'))
c('binary_cross_entropy_with_logits', 'a', 'prob')
c('soft_margin_loss', 'a', 'b')
c('hinge_embedding_loss', 'a', Made('sign', 'b'))
c('margin_ranking_loss', 'a', 'b', Made('sign', 'a'))
c('multi_margin_loss', 'logits', 'cls')
c('cosine_embedding_loss', 'a', 'b', Made('sign', 'z3'))
c('triplet_margin_loss', 'a', 'b', 'pos')
c('poisson_nll_loss', 'a', 'pos', True, False, 1e-8, 1)
c('bilinear', 'x1', 'h', Made('reshape', 'wih', [4, 3, 4]), 'bias4')

# Lists of tensors, and what is not a tensor
for op in 'exp sqrt abs neg sigmoid'.split():
    c(f'_foreach_{op}', ['pos', 'row' if op in ('exp', 'abs', 'neg', 'sigmoid') else 'pos'])
c('_foreach_add', ['a', 'b'], ['b', 'a'])
c('_foreach_mul', ['a', 'b'], 2.0)
c('_foreach_norm', ['a', 'b'])
c('_foreach_lerp', ['a'], ['b'], 0.5)
c('broadcast_tensors', ['col', 'row'])
c('equal', 'a', 'a')
c('equal', 'a', 'b')
c('allclose', 'a', 'a')
c('is_floating_point', 'a')
c('is_same_size', 'a', 'b')
c('result_type', 'a', 2)
c('can_cast', 'float32', 'int64')
c('promote_types', 'float32', 'int64')
c('item', Made('sum', 'i'))
c('numel', 'a')

save_file(T, pathlib.Path(__file__).with_name('tensors.safetensors'))
lines = ',\n'.join(json.dumps(call) for call in calls)
pathlib.Path(__file__).with_name('calls.json').write_text(f'[\n{lines}\n]\n')
print(len(calls), 'calls of', len({call[0] for call in calls}), 'operators')
