/** Values that the pickle reader makes: plain ones, and stand-ins for Python's objects. */

/** Stand-in for a global that a pickle names. */
export interface PickleGlobal {
  readonly name: string;
  /** Result of calling the global; absent if it can only be named. */
  call?(args: readonly unknown[]): unknown;
}

/** Python dict. Keys are kept as they were written. */
export class PickleDict {
  readonly entries = new Map<unknown, unknown>();
}

/** Python tuple, as opposed to a list. */
export class PickleTuple {
  constructor(readonly items: readonly unknown[]) {}
}

const moduleFields = ['_parameters', '_modules', '_buffers'];

/**
 * Stand-in for a global that the reader does not know, and for every object made with it. Only the
 * code that the name belongs to could make the object, and that code is never run.
 */
export class Opaque {
  /** Arguments, state and items that the pickle gave it. */
  readonly contents: unknown[] = [];
  /** Items that were set on it as on a dict, as pickles do for subclasses of dict. */
  readonly items = new PickleDict();
  /** Whether it has the state of a `torch.nn.Module`. */
  isModule = false;

  constructor(readonly name: string) {}

  /** Takes the state of `__setstate__` or `__dict__`. */
  build(state: unknown): void {
    this.contents.push(state);
    const fields = state instanceof PickleTuple ? state.items[0] : state;
    if (fields instanceof PickleDict && moduleFields.some((field) => fields.entries.has(field)))
      this.isModule = true;
  }
}
