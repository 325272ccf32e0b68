/**
 * List of the globals in files of torch.save that are known, with a stand-in for each: all that
 * `torch.load(weights_only=True)` allows, and plain containers and numbers of Python and numpy.
 */
import { SaeEvalError } from '../errors.js';
import type { DType } from '../torch/tensor.js';
import { readStorageDtypes, torchDtypes } from './dtypes.js';
import { numpyGlobals } from './numpy-globals.js';
import { OddTensor, oddTensors } from './odd-tensors.js';
import { Opaque, PickleDict, PickleTuple, type PickleGlobal } from './pickle-values.js';

/** Storage that a pickle names. The reader of the file knows where its bytes are. */
export class StorageRef {
  constructor(
    readonly key: string,
    /** Dtype of the elements; null for an untyped storage, whose tensors have their own. */
    readonly dtype: DType | null,
    /** Number of elements according to the file; of bytes if the storage is untyped. */
    readonly numel: number,
    /** First element of a view within its root storage (legacy files). */
    readonly viewOffset: number,
  ) {}
}

/** Tensor as the pickle describes it. Offset and strides count elements. */
export class TensorRef {
  constructor(
    readonly storage: StorageRef,
    readonly dtype: DType,
    readonly offset: number,
    readonly shape: number[],
    readonly strides: number[],
  ) {}
}

/** Stand-in for a storage class or a dtype, which a pickle only names. */
interface TypeMarker extends PickleGlobal {
  /** Dtype that it stands for; null for untyped storages. */
  readonly dtype?: DType | null;
}

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
  return [...(items as number[])]; // the pickle could still append to a list
}

interface Rebuilding {
  /** dtype beside the storage. */
  dtype?: DType | undefined;
  /** Bits that change the meaning of the data: `conj` and `neg`. */
  metadata?: unknown;
}

/** Result of `_rebuild_tensor_v2(storage, offset, size, stride, …)`. */
function rebuild(
  file: string,
  args: readonly unknown[],
  { dtype, metadata }: Rebuilding = {},
): TensorRef | OddTensor {
  const [storage, offset, size, stride] = args;
  if (storage instanceof Opaque) return new OddTensor(`a tensor in ${storage.name}`, null);
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
  for (const bit of ['neg', 'conj'])
    if (metadata instanceof PickleDict && metadata.entries.get(bit) === true)
      return new OddTensor(`a tensor with its ${bit} bit set (${type})`, shape);
  return new TensorRef(storage, type, offset as number, shape, strides);
}

/** Copy of a tensor of another device, kept on the CPU: that tensor if the dtype is the same. */
function ofOtherDevice([tensor, dtype]: readonly unknown[]): TensorRef | OddTensor {
  const wanted = (dtype as TypeMarker | null | undefined)?.dtype;
  if (tensor instanceof TensorRef && (wanted === undefined || wanted === tensor.dtype))
    return tensor;
  return new OddTensor('a tensor of another device', null);
}

/** Lookup of the known globals of one file, whose name is for errors; null for others. */
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
    'torch._utils._rebuild_tensor_v2': (args) => rebuild(file, args, { metadata: args[6] }),
    'torch._utils._rebuild_tensor_v3': (args) =>
      rebuild(file, args, {
        dtype: (args[6] as TypeMarker | undefined)?.dtype ?? undefined,
        metadata: args[7],
      }),
    'torch._utils._rebuild_device_tensor_from_cpu_tensor': ofOtherDevice,
    'torch._utils._rebuild_parameter': first,
    'torch._utils._rebuild_parameter_with_state': first,
    'torch.Size': (args) => args[0] ?? new PickleTuple([]),
    // A tensor with attributes of its own: a function with its arguments. The attributes are
    // ignored.
    'torch._tensor._rebuild_from_type_v2': ([make, , made]) => {
      const target = make as PickleGlobal | null | undefined;
      return typeof target?.call === 'function' &&
        made instanceof PickleTuple &&
        target.name.startsWith('torch._utils._rebuild')
        ? target.call(made.items)
        : new OddTensor(
            `a tensor made by ${make instanceof Opaque ? make.name : 'something unknown'}`,
            null,
            [made],
          );
    },
    'torch.device': (args) =>
      args
        .slice(0, 2)
        .filter((part) => typeof part === 'string' || typeof part === 'number')
        .join(':'),
    '_codecs.encode': first,
    'builtins.bytes': first,
    'builtins.bytearray': first,
    'builtins.set': set,
    'builtins.frozenset': set,
    'builtins.complex': ([real, imaginary]) =>
      typeof real === 'number' && typeof imaginary === 'number'
        ? `${real} + ${imaginary}j`
        : new Opaque('builtins.complex'),
    'collections.deque': ([items]) => (Array.isArray(items) ? [...(items as unknown[])] : []),
    'collections.Counter': ([counts]) => {
      const made = new PickleDict();
      if (counts instanceof PickleDict)
        for (const [key, count] of counts.entries) made.entries.set(key, count);
      return made;
    },
    'collections.defaultdict': () => new PickleDict(),
    ...oddTensors,
    ...numpyGlobals,
    'torch.serialization._get_layout': first,
  };
  return (module, name) => {
    // Protocols before 3 use the names of Python 2.
    const full = `${module === '__builtin__' ? 'builtins' : module}.${name}`;
    if (Object.hasOwn(fixed, full)) return { name: full, call: fixed[full]! };
    if (
      (module === 'torch' || module === 'torch.storage' || module === 'torch.cuda') &&
      (name === 'UntypedStorage' || Object.hasOwn(readStorageDtypes, name))
    ) {
      return { name: full, dtype: readStorageDtypes[name] ?? null } satisfies TypeMarker;
    }
    if (module === 'torch' && Object.hasOwn(torchDtypes, name))
      return { name: full, dtype: torchDtypes[name]! } satisfies TypeMarker;
    if (full === 'torch.nn.parameter.Parameter' || full === 'torch.Tensor')
      return { name: full, call: first };
    return null;
  };
}

/**
 * Storage of a persistent id of torch.save, `('storage', type, key, location, numel[, view])`; an
 * opaque object for other ids. The location is ignored.
 * @throws SaeEvalError `checkpoint-format`.
 */
export function storageFromId(file: string, id: unknown): StorageRef | Opaque {
  if (id instanceof Opaque) return id;
  const items = id instanceof PickleTuple ? id.items : [];
  const [tag, type, key, , numel, view] = items;
  // Legacy files keep the class of a pickled module, with its source.
  if (tag === 'module' && type instanceof Opaque) return type;
  if (
    tag !== 'storage' ||
    !Number.isSafeInteger(numel) ||
    (numel as number) < 0 ||
    typeof key !== 'string'
  ) {
    throw new SaeEvalError('checkpoint-format', `${file}: a persistent id that is not a storage.`);
  }
  if (type instanceof Opaque) return new Opaque(`a storage of type ${type.name}`);
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
