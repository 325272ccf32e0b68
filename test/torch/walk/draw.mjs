/**
 * Arguments that fit a schema, drawn with a seed: small tensors of a few shapes and dtypes, small
 * numbers. A name decides what the type leaves open (an index is int64, a kernel is positive), so
 * that many calls have an answer and not only an error.
 */

/** mulberry32: numbers in [0, 1). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a: a seed of its own for each name. */
export function hash(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

const strings = {
  rounding_mode: ['floor', 'trunc'],
  reduce: ['sum', 'mean', 'amax'],
  mode: ['constant', 'reflect', 'reduced', 'complete'],
  pad_mode: ['reflect', 'constant'],
  indexing: ['ij', 'xy'],
  padding: ['valid', 'same'],
  equation: ['ij,kj->ik', 'ij->j'],
  approximate: ['none', 'tanh'],
  norm: ['forward', 'ortho'],
  side: ['left', 'right'],
  driver: ['gels', 'gelsd'],
  UPLO: ['L', 'U'],
  ord: ['fro', 'nuc'],
  interpolation: ['linear', 'nearest'],
  reduction: ['none', 'mean'],
  weight_format: ['default'],
};

const shapes = [
  [2, 3],
  [3, 3],
  [4],
  [],
  [2, 3, 4],
  [1, 2, 4, 4],
  [2, 2, 3, 3, 3],
  [0, 3],
  [1],
  [3, 4],
];

/** Integers that must be positive, and lists of integers that are shapes, by their names. */
const sizes = new RegExp(
  'group|dilation|stride|step|chunks|sections|repeats?$|output_size|bins|bits|num_|kernel|window|' +
    'n_fft|length|hidden|size',
);
const shapeNames = /^(size|shape|sizes|new_shape|(self|input|output|sparse)_size|input_sizes)$/;

/**
 * `torch` is the binding. Each call draws for one operator; the tensors of one call share a shape
 * three times of four.
 */
export function drawer(torch, next) {
  const { ops, tensor, scalar, Generator } = torch;
  const pick = (list) => list[Math.floor(next() * list.length)];
  const chance = (p) => next() < p;
  const generator = new Generator().manualSeed(Math.floor(next() * 2 ** 32));
  const common = pick(shapes);
  const dtype = chance(0.7)
    ? 'float32'
    : pick(['float64', 'int64', 'bool', 'bfloat16', 'complex64', 'int32', 'uint8', 'float16']);

  const drawTensor = (name) => {
    const shape = chance(0.75) ? common : pick(shapes);
    if (/indice|index|target|offsets|labels|lengths|batch_sizes|pivots|boundaries_?$/i.test(name))
      return ops.randint(0, 2, chance(0.5) ? shape : [2], { dtype: 'int64', generator });
    if (/mask|condition/.test(name)) return ops.rand(shape, { generator }).gt(0.5);
    if (
      /^(weight|bias|running_mean|running_var|scale|zero_point|grid|mat2|batch2|vec2)$/.test(
        name,
      ) &&
      chance(0.5)
    )
      return ops.rand(pick([[1], [2], [3], [3, 3], [2, 2, 1, 1], [4, 4]]), { generator });
    const values = ops.randn(shape, { generator });
    return dtype === 'bool' ? values.gt(0) : values.mul(3).to({ dtype });
  };

  const drawInteger = (name) => {
    if (/dim|axis/.test(name)) return pick([0, 0, -1, 1]);
    if (sizes.test(name)) return pick([1, 1, 2, 3]);
    if (/padding|offset|diagonal|storage/.test(name)) return pick([0, 0, 1]);
    if (/reduction/.test(name)) return pick([0, 1, 2]);
    return pick([0, 1, 1, 2, 3, -1]);
  };

  const drawIntegers = (name, count) => {
    if (shapeNames.test(name) && count === undefined) return chance(0.5) ? common : pick(shapes);
    if (/^dims?$/.test(name)) return pick([[0], [1], [0, 1], [-1], []]);
    const length = count ?? pick([1, 2, common.length]);
    const one = drawInteger(name);
    return Array.from({ length }, () => one);
  };

  const draw = (type, name) => {
    const list = /^(.*)\[(\d*)\]$/.exec(type);
    if (list !== null) {
      const [, element, size] = list;
      const count = size === '' ? undefined : Number(size);
      if (element === 'int' || element === 'SymInt') return drawIntegers(name, count);
      if (element === 'Tensor?') return [drawTensor('index'), ...(chance(0.3) ? [null] : [])];
      if (element === 'Tensor')
        return Array.from({ length: pick([1, 2, 2, 3]) }, () => drawTensor(name));
      return Array.from({ length: count ?? pick([1, 2, 3]) }, () => draw(element, name));
    }
    switch (type) {
      case 'Tensor':
      case 'Storage':
        return drawTensor(name);
      case 'int':
      case 'SymInt':
        return drawInteger(name);
      case 'float':
        return pick([0.5, 0.1, 1, 2, 0]);
      case 'bool':
        return chance(0.5);
      case 'Scalar':
        return pick([1, 2, 0.5, 0, -1]);
      case 'str':
        return pick(strings[name] ?? ['mean', 'none', 'constant']);
      case 'ScalarType':
        return pick(['float32', 'float64', 'int64']);
      case 'Device':
        return 'cpu';
      case 'Layout':
        return 'strided';
      case 'MemoryFormat':
        return pick(['contiguous_format', 'preserve_format', 'channels_last']);
      case 'Generator':
        return generator;
      default:
        return scalar(0); // no JavaScript value is of this type: refused by name
    }
  };

  /** `[...positional, { named }]` */
  return (parsed) => {
    const positional = [];
    const options = {};
    let byName = false;
    for (const parameter of parsed.arguments) {
      const { name, type, optional, hasDefault, named, written } = parameter;
      if (named && written) {
        options[name] =
          type === 'Tensor'
            ? tensor([], { dtype: dtype === 'bool' ? 'float32' : dtype })
            : [tensor([]), tensor([])];
        continue;
      }
      const left = (hasDefault && chance(0.6)) || (optional && chance(0.4));
      if (named || byName) {
        if (!left) options[name] = draw(type, name);
        else if (!hasDefault && optional) options[name] = null;
      } else if (left && hasDefault) byName = true;
      else positional.push(left ? null : draw(type, name));
    }
    return [...positional, options];
  };
}
