/** Stack machine of a pickle: stack, memo, globals and calls, with a limit on what is made. */
import type { PickleBytes } from './pickle-bytes.js';
import { Opaque, PickleDict, PickleTuple, type PickleGlobal } from './pickle-values.js';

export interface PickleOptions {
  /** Name of the file, for errors. */
  file: string;
  /** Stand-in for a global, or null if the global is not known. */
  global(module: string, name: string): PickleGlobal | null;
  /** Value that a persistent id refers to. */
  persistent(id: unknown): unknown;
}

const mark = Symbol('mark');
/**
 * Limit on all that one pickle makes, in list items. It bounds memory and time, whatever the file
 * says. A tensor takes about 100 items.
 */
const mostItems = 4_000_000;
/** Memory of a dict or set, of an opaque object, and of an entry of the memo, in list items. */
const containerItems = 8;
const opaqueItems = 24;
const memoItems = 4;

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  if (value instanceof Set) return value.size;
  return value instanceof PickleDict ? value.entries.size : 0;
}

/** Name of what a call makes: of the class that Python's and numpy's constructors are given. */
function nameOfMade({ name }: Opaque, args: unknown): string {
  const type = args instanceof PickleTuple ? args.items[0] : undefined;
  const isConstructor = /(?:^copy_?reg\.(?:_reconstructor|__newobj__)|multiarray\._reconstruct)$/;
  return type instanceof Opaque && isConstructor.test(name) ? type.name : name;
}

export class PickleMachine {
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();
  /** Name of the first global that is not known. */
  unknown: string | null = null;

  constructor(
    readonly bytes: PickleBytes,
    private readonly options: PickleOptions,
    /** Number of items made, which the pickles of one file share. */
    private readonly made: { items: number },
  ) {}

  #charge(items: number): void {
    this.made.items += items;
    if (this.made.items > mostItems) this.bytes.fail(`more than ${mostItems} items`);
  }

  push(value: unknown): void {
    this.#charge(1);
    this.#stack.push(value);
  }

  pushContainer(value: PickleDict | Set<unknown>): void {
    this.#charge(containerItems);
    this.push(value);
  }

  pushMark(): void {
    this.push(mark);
  }

  pop(): unknown {
    const value = this.popAny();
    return value === mark ? this.bytes.fail('a mark where a value is wanted') : value;
  }

  /** Pops a value or a mark. */
  popAny(): unknown {
    if (this.#stack.length === 0) this.bytes.fail('an empty stack');
    return this.#stack.pop();
  }

  /** Pops everything above the last mark, and the mark. */
  popToMark(): unknown[] {
    const at = this.#stack.lastIndexOf(mark);
    if (at < 0) this.bytes.fail('no mark');
    return this.#stack.splice(at).slice(1);
  }

  top(): unknown {
    const value = this.#stack.at(-1);
    return this.#stack.length === 0 || value === mark ? this.bytes.fail('an empty stack') : value;
  }

  append(values: readonly unknown[]): void {
    const list = this.top();
    if (list instanceof Opaque) {
      for (const value of values) list.contents.push(value);
      return;
    }
    if (!Array.isArray(list)) this.bytes.fail('items appended to something that is not a list');
    for (const value of values) list.push(value);
  }

  /** Sets items of the dict on top; keys and values alternate. */
  setItems(values: readonly unknown[]): void {
    if (values.length % 2 !== 0) this.bytes.fail('a key without a value');
    const top = this.top();
    const dict = top instanceof Opaque ? top.items : top;
    if (!(dict instanceof PickleDict)) this.bytes.fail('items set on something that is not a dict');
    for (let i = 0; i < values.length; i += 2) dict.entries.set(values[i], values[i + 1]);
  }

  addItems(values: readonly unknown[]): void {
    const set = this.top();
    if (set instanceof Opaque) {
      for (const value of values) set.contents.push(value);
      return;
    }
    if (!(set instanceof Set)) this.bytes.fail('items added to something that is not a set');
    for (const value of values) set.add(value);
  }

  /** Stores the top of the stack in the memo, under the next free key by default. */
  remember(key = this.#memo.size): void {
    const value = this.top();
    this.#charge(memoItems);
    this.#memo.set(key, value);
  }

  recall(key: number): void {
    this.push(
      this.#memo.has(key) ? this.#memo.get(key) : this.bytes.fail(`memo ${key} was never set`),
    );
  }

  pushGlobal(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      this.bytes.fail('a global whose name is no text');
    const found = this.options.global(module, name);
    if (found === null) this.pushOpaque(`${module}.${name}`);
    else this.push(found);
  }

  /** Pushes a stand-in for an unknown global. */
  pushOpaque(name: string): void {
    this.#charge(opaqueItems);
    const opaque = new Opaque(name.slice(0, 200));
    this.unknown ??= opaque.name;
    this.push(opaque);
  }

  pushPersistent(): void {
    this.push(this.options.persistent(this.pop()));
  }

  /** Calls the global below the arguments on the stack. */
  call(): void {
    const args = this.pop();
    this.callWith(this.pop(), args);
  }

  /** Pushes what a call gives: a stand-in of the same name if the callee is not known. */
  callWith(callee: unknown, args: unknown): void {
    if (callee instanceof Opaque) {
      this.#charge(opaqueItems);
      const made = new Opaque(nameOfMade(callee, args));
      made.contents.push(args);
      this.push(made);
      return;
    }
    if (!(args instanceof PickleTuple)) this.bytes.fail('a call without a tuple of arguments');
    const target = callee as PickleGlobal | null;
    if (typeof target !== 'object' || target === null || typeof target.call !== 'function')
      this.bytes.fail('a call of something that cannot be called');
    // A call may copy its first argument, which a file can name many times over.
    this.#charge(containerItems + sizeOf(args.items[0]));
    const made = target.call(args.items);
    if (made instanceof Opaque) this.#charge(opaqueItems);
    this.push(made);
  }

  /** Gives the state on the stack to an opaque object; other objects need none. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    if (target instanceof Opaque) target.build(state);
  }
}
