/**
 * Numbers of numpy in pickles, such as a loss kept as `np.float64`: `scalar(dtype, bytes)`, a dtype
 * being `dtype('f8', False, True)` with the state `(3, '<', …)`. Arrays stay opaque.
 */
import { numpyDtypes } from './dtypes.js';
import { numberAt } from './numbers.js';
import { Opaque, PickleTuple, type PickleGlobal } from './pickle-values.js';

class NumpyDtype extends Opaque {
  #order = '<';

  constructor(private readonly code: string) {
    super('numpy.dtype');
  }

  /** Code with the byte order, as headers of arrays have it. */
  get full(): string {
    return `${/1$/.test(this.code) ? '|' : this.#order}${this.code}`;
  }

  override build(state: unknown): void {
    const order = state instanceof PickleTuple ? state.items[1] : undefined;
    if (typeof order === 'string') this.#order = order === '|' ? '<' : order;
  }
}

/** Number that a dtype and its bytes give; an opaque object for dates, texts and records. */
function scalar([dtype, content]: readonly unknown[]): unknown {
  // Protocol 2 has no bytes: it keeps them as a text of characters below 256.
  const bytes =
    typeof content === 'string' ? Buffer.from(content, 'latin1') : (content as Uint8Array);
  const known =
    dtype instanceof NumpyDtype && Object.hasOwn(numpyDtypes, dtype.full)
      ? numpyDtypes[dtype.full]!
      : null;
  const value =
    known !== null && bytes instanceof Uint8Array ? numberAt(bytes, 0, known) : undefined;
  return value === undefined ? new Opaque('numpy.generic') : value;
}

const dtype = ([code]: readonly unknown[]): Opaque =>
  new NumpyDtype(typeof code === 'string' ? code.slice(0, 16) : '?');

/** Globals of numpy by their full names. Modules moved to `numpy._core` in numpy 2. */
export const numpyGlobals: Readonly<Record<string, PickleGlobal['call']>> = {
  'numpy.dtype': dtype,
  'numpy.core.multiarray.scalar': scalar,
  'numpy._core.multiarray.scalar': scalar,
};
