/** Allow-list of the globals in files of torch.save, with a stand-in for each. */
import { SaeEvalError } from '../errors.js';
import type { DType } from '../torch/tensor.js';
import { storageDtypes, torchDtypes } from './dtypes.js';
import { PickleDict, PickleTuple, type PickleGlobal } from './pickle-values.js';

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

/** Result of `_rebuild_tensor_v2(storage, offset, size, stride, …)`. */
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

/**
 * Lookup of the allowed globals of one file, whose name is for errors. It gives null for others.
 * @throws SaeEvalError `checkpoint-module` for a class of `torch.nn`.
 */
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
    // A tensor with attributes of its own: a function with its arguments. The attributes are
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
      (name === 'UntypedStorage' || Object.hasOwn(storageDtypes, name))
    ) {
      return { name: full, dtype: storageDtypes[name] ?? null } satisfies TypeMarker;
    }
    if (module === 'torch' && Object.hasOwn(torchDtypes, name))
      return { name: full, dtype: torchDtypes[name]! } satisfies TypeMarker;
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
 * Storage of a persistent id of torch.save, `('storage', type, key, location, numel[, view])`. The
 * location is ignored.
 * @throws SaeEvalError `checkpoint-format`.
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
