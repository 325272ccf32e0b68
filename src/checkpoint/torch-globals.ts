/** The allow-list of globals in files of torch.save, and what this reader makes of them. */
import { SaeEvalError } from '../errors.js';
import type { DType } from '../torch/tensor.js';
import { PickleDict, PickleTuple, type PickleGlobal } from './pickle.js';

/** A storage that a file holds: where its bytes are is known to the format that wrote it. */
export class StorageRef {
  constructor(
    readonly key: string,
    /** Null for untyped storages: the tensor's own type counts. */
    readonly dtype: DType | null,
    /** Elements, as the file says; bytes for untyped ones. */
    readonly numel: number,
    /** Legacy views: first element within the root storage. */
    readonly viewOffset: number,
  ) {}
}

/** A tensor as the pickle describes it, in elements of its dtype. */
export class TensorRef {
  constructor(
    readonly storage: StorageRef,
    readonly dtype: DType,
    readonly offset: number,
    readonly shape: number[],
    readonly strides: number[],
  ) {}
}

/** Stands for a class that is only named. */
export interface TypeMarker extends PickleGlobal {
  readonly dtype?: DType | null;
}

const storageTypes: Record<string, DType | null> = {
  FloatStorage: 'float32',
  DoubleStorage: 'float64',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  UntypedStorage: null,
};
const dtypes: Record<string, DType> = {
  float32: 'float32',
  float: 'float32',
  float64: 'float64',
  double: 'float64',
  float16: 'float16',
  half: 'float16',
  bfloat16: 'bfloat16',
  int64: 'int64',
  long: 'int64',
  int32: 'int32',
  int: 'int32',
  int16: 'int16',
  short: 'int16',
  int8: 'int8',
  uint8: 'uint8',
  bool: 'bool',
};

export const itemBytes: Record<DType, number> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  complex32: 4,
  complex64: 8,
  complex128: 16,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  float8_e4m3fn: 1,
  float8_e5m2: 1,
  float8_e4m3fnuz: 1,
  float8_e5m2fnuz: 1,
  float8_e8m0fnu: 1,
  qint8: 1,
  quint8: 1,
  qint32: 4,
};

function numbers(value: unknown, what: string, file: string): number[] {
  const items = value instanceof PickleTuple ? value.items : value;
  if (
    !Array.isArray(items) ||
    items.length > 64 ||
    !items.every((item) => Number.isSafeInteger(item) && (item as number) >= 0)
  ) {
    throw new SaeEvalError(
      'checkpoint-format',
      `${file}: a tensor's ${what} is not a short list of whole numbers.`,
    );
  }
  return [...(items as number[])]; // a list could still be appended to
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, …)` */
function rebuild(file: string, args: readonly unknown[], dtype?: DType): TensorRef {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof StorageRef) || !Number.isSafeInteger(offset) || (offset as number) < 0) {
    throw new SaeEvalError(
      'checkpoint-format',
      `${file}: a tensor without a storage or with a wrong offset.`,
    );
  }
  const type = dtype ?? storage.dtype;
  if (type === null || type === undefined)
    throw new SaeEvalError('checkpoint-format', `${file}: a tensor of unknown dtype.`);
  const shape = numbers(size, 'shape', file);
  const strides = numbers(stride, 'strides', file);
  if (shape.length !== strides.length)
    throw new SaeEvalError(
      'checkpoint-format',
      `${file}: a tensor of ${shape.length} dimensions with ${strides.length} strides.`,
    );
  return new TensorRef(storage, type, offset as number, shape, strides);
}

/** The allowed globals of one file. */
export function torchGlobals(file: string): (module: string, name: string) => PickleGlobal | null {
  const first = (args: readonly unknown[]): unknown => args[0];
  const set = ([items]: readonly unknown[]): Set<unknown> =>
    new Set(items instanceof Set || Array.isArray(items) ? items : []);
  const fixed: Record<string, PickleGlobal['call']> = {
    'collections.OrderedDict': (args) => {
      const made = new PickleDict();
      const pairs = args[0];
      if (Array.isArray(pairs))
        for (const pair of pairs) {
          const items: unknown = pair instanceof PickleTuple ? pair.items : pair;
          if (Array.isArray(items)) made.entries.set(items[0], items[1]);
        }
      return made;
    },
    'torch._utils._rebuild_tensor': (args) => rebuild(file, args),
    'torch._utils._rebuild_tensor_v2': (args) => rebuild(file, args),
    'torch._utils._rebuild_tensor_v3': (args) =>
      rebuild(file, args, (args[6] as TypeMarker | undefined)?.dtype ?? undefined),
    'torch._utils._rebuild_parameter': first,
    'torch._utils._rebuild_parameter_with_state': first,
    'torch.Size': (args) => args[0] ?? new PickleTuple([]),
    // A tensor with attributes of its own: the function and its arguments; the attributes are
    // ignored.
    'torch._tensor._rebuild_from_type_v2': ([make, , made]) => {
      const target = make as PickleGlobal | null | undefined;
      return typeof target?.call === 'function' &&
        made instanceof PickleTuple &&
        target.name.startsWith('torch._utils._rebuild')
        ? target.call(made.items)
        : null;
    },
    'torch.device': (args) =>
      args
        .slice(0, 2)
        .filter((part) => typeof part === 'string' || typeof part === 'number')
        .join(':'),
    '_codecs.encode': first,
    'builtins.set': set,
    '__builtin__.set': set,
    'collections.Counter': () => new PickleDict(),
    'collections.defaultdict': () => new PickleDict(),
    'torch.serialization._get_layout': first,
  };
  return (module, name) => {
    const full = `${module}.${name}`;
    if (Object.hasOwn(fixed, full)) return { name: full, call: fixed[full]! };
    if (
      (module === 'torch' || module === 'torch.storage' || module === 'torch.cuda') &&
      Object.hasOwn(storageTypes, name)
    ) {
      return { name: full, dtype: storageTypes[name]! } satisfies TypeMarker;
    }
    if (module === 'torch' && Object.hasOwn(dtypes, name))
      return { name: full, dtype: dtypes[name]! } satisfies TypeMarker;
    if (full === 'torch.nn.parameter.Parameter' || full === 'torch.Tensor')
      return { name: full, call: first };
    if (/^torch\.nn\.(modules|parallel)\./.test(module)) {
      throw new SaeEvalError(
        'checkpoint-module',
        `${file}: holds a pickled module (${full}), which only the code that made it can ` +
          'read. Save its state_dict() instead: torch.save(model.state_dict(), path).',
      );
    }
    return null;
  };
}

/**
 * What a persistent id of torch.save stands for: `('storage', type, key, location, numel[, view])`.
 * The location is ignored.
 */
export function storageFromId(file: string, id: unknown): StorageRef {
  const items = id instanceof PickleTuple ? id.items : [];
  const [tag, type, key, , numel, view] = items;
  if (
    tag !== 'storage' ||
    !Number.isSafeInteger(numel) ||
    (numel as number) < 0 ||
    typeof key !== 'string'
  ) {
    throw new SaeEvalError('checkpoint-format', `${file}: a persistent id that is not a storage.`);
  }
  const dtype = (type as TypeMarker | null)?.dtype;
  if (dtype === undefined)
    throw new SaeEvalError(
      'checkpoint-format',
      `${file}: storage '${key.slice(0, 60)}' has no known type.`,
    );
  const viewOffset = view instanceof PickleTuple ? view.items[1] : 0;
  if (!Number.isSafeInteger(viewOffset) || (viewOffset as number) < 0)
    throw new SaeEvalError(
      'checkpoint-format',
      `${file}: storage '${key.slice(0, 60)}' is a view at no place.`,
    );
  return new StorageRef(key, dtype, numel as number, viewOffset as number);
}
