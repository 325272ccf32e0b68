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

/**
 * Stand-in for a global that is not allowed, and for everything made with it, until the pickle is
 * refused.
 */
export class Forbidden {
  constructor(readonly name: string) {}
}
