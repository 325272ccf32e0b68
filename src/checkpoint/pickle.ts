/**
 * A restricted reader of Python pickles (protocols 2 to 5, https://peps.python.org/pep-0574/ and
 * before). It builds plain values only: a global is looked up in an allow-list that the caller
 * gives, and nothing else exists. No code of a file can run, because there is none to run. There is
 * no recursion, and nothing is allocated by a size that a file claims.
 */
import { SaeEvalError } from '../errors.js';

/** Something a pickle may name, as this reader stands for it. */
export interface PickleGlobal {
  readonly name: string;
  /** What calling it gives; absent where it is only named. */
  call?(args: readonly unknown[]): unknown;
}

export interface PickleOptions {
  /** For messages. */
  file: string;
  /** The object that stands for a global, or null where it is not allowed. */
  global(module: string, name: string): PickleGlobal | null;
  /** What a persistent id stands for. */
  persistent(id: unknown): unknown;
}

/** A Python dict: keys as they were written. */
export class PickleDict {
  readonly entries = new Map<unknown, unknown>();
  /** What BUILD gave an OrderedDict subclass; ignored. */
  state: unknown = null;
}

/** A tuple, apart from lists. */
export class PickleTuple {
  constructor(readonly items: readonly unknown[]) {}
}

/**
 * Stands for a global that is not allowed, and for whatever would be made with it, until the pickle
 * is refused.
 */
class Forbidden {
  constructor(readonly name: string) {}
}

/** The bytes end before the pickle does. */
export class PickleTruncated extends SaeEvalError {}

const mark = Symbol('mark');
/**
 * What a pickle may make in all, in list items: bounds memory and time whatever the file says. A
 * tensor takes about 100.
 */
const mostItems = 4_000_000;
/** A dict or set takes the memory of about so many items, an entry of the memo of so many. */
const containerItems = 8;
const memoItems = 4;
const utf8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
const moduleFields = ['_parameters', '_modules', '_buffers'];

export class PickleReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: PickleOptions;
  #at: number;
  #items = 0;
  #forbidden: Forbidden | null = null;

  constructor(bytes: Uint8Array, options: PickleOptions, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options = options;
    this.#at = offset;
  }

  /** Where the next pickle begins. */
  get position(): number {
    return this.#at;
  }

  #fail(message: string): never {
    throw new SaeEvalError(
      'checkpoint-format',
      `${this.#options.file}: damaged pickle at byte ${this.#at}: ${message}.`,
    );
  }

  #truncated(message: string): never {
    throw new PickleTruncated(
      'checkpoint-format',
      `${this.#options.file}: the pickle ends at byte ${this.#at}: ${message}. The file is ` +
        'truncated or damaged.',
    );
  }

  /** Counts what is made against what a pickle may make. */
  #charge(items: number): void {
    this.#items += items;
    if (this.#items > mostItems) this.#fail(`more than ${mostItems} items`);
  }

  #take(count: number): number {
    const from = this.#at;
    if (from + count > this.#bytes.length)
      this.#truncated(`${count} bytes wanted, ${this.#bytes.length - from} left`);
    this.#at += count;
    return from;
  }

  #slice(count: number): Uint8Array {
    const from = this.#take(count);
    return this.#bytes.subarray(from, from + count);
  }

  #line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    if (end < 0) this.#truncated('a line without an end');
    const text = utf8.decode(this.#bytes.subarray(this.#at, end));
    this.#at = end + 1;
    return text;
  }

  #length64(): number {
    const length = this.#view.getBigUint64(this.#take(8), true);
    return length > BigInt(Number.MAX_SAFE_INTEGER)
      ? this.#fail(`a length of ${length}`)
      : Number(length);
  }

  /** A little-endian two's complement integer: a number where it is safe. */
  #long(count: number): number | bigint {
    if (count > 64) this.#fail(`an integer of ${count} bytes`);
    const bytes = this.#slice(count);
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    if (bytes.length > 0 && (bytes[bytes.length - 1]! & 0x80) !== 0)
      value -= 1n << BigInt(8 * bytes.length);
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(value)
      : value;
  }

  #global(module: unknown, name: unknown): PickleGlobal | Forbidden {
    if (typeof module !== 'string' || typeof name !== 'string')
      this.#fail('a global whose name is no text');
    const found = this.#options.global(module, name);
    if (found !== null) return found;
    this.#forbidden ??= new Forbidden(`${module}.${name}`.slice(0, 200));
    return new Forbidden(`${module}.${name}`.slice(0, 200));
  }

  #call(callee: unknown, args: unknown): unknown {
    if (callee instanceof Forbidden) return callee;
    if (!(args instanceof PickleTuple)) this.#fail('a call without a tuple of arguments');
    const target = callee as PickleGlobal | null;
    if (typeof target !== 'object' || target === null || typeof target.call !== 'function')
      this.#fail('a call of something that cannot be called');
    // A call may copy its first argument, which a file can name many times over.
    const first = args.items[0];
    this.#charge(
      containerItems +
        (Array.isArray(first)
          ? first.length
          : first instanceof Set
            ? first.size
            : first instanceof PickleDict
              ? first.entries.size
              : 0),
    );
    return target.call(args.items);
  }

  /**
   * A class that is not allowed and whose state is a module's gets the error that says what to do.
   */
  #build(target: unknown, state: unknown): void {
    if (target instanceof PickleDict) target.state = state;
    const fields = state instanceof PickleTuple ? state.items[0] : state;
    if (
      target instanceof Forbidden &&
      fields instanceof PickleDict &&
      moduleFields.some((field) => fields.entries.has(field))
    ) {
      throw new SaeEvalError(
        'checkpoint-module',
        `${this.#options.file}: holds a pickled module (${target.name}), which only the ` +
          'code that made it can read. Save its state_dict() instead: ' +
          'torch.save(model.state_dict(), path).',
      );
    }
  }

  /**
   * The object of the next pickle.
   * @throws SaeEvalError `checkpoint-forbidden` naming the first global that is not allowed,
   *   `checkpoint-module`,
   *   `checkpoint-format`, the latter as {@link PickleTruncated} where the bytes end before the
   *   pickle does.
   */
  read(): unknown {
    let value: unknown = null;
    let failure: SaeEvalError | null = null;
    try {
      value = this.#run();
    } catch (error) {
      if (
        !(error instanceof SaeEvalError) ||
        error instanceof PickleTruncated ||
        error.code === 'checkpoint-module'
      )
        throw error;
      failure = error;
    }
    // Reading on after a forbidden global only serves to tell a pickled module from the rest.
    if (this.#forbidden !== null) {
      throw new SaeEvalError(
        'checkpoint-forbidden',
        `${this.#options.file}: the pickle names '${this.#forbidden.name}', which is not ` +
          'on the list of what a state_dict needs. Nothing was run. Save ' +
          'torch.save(model.state_dict(), path).',
      );
    }
    if (failure !== null) throw failure;
    return value;
  }

  #run(): unknown {
    const stack: unknown[] = [];
    const memo = new Map<number, unknown>();
    const push = (value: unknown): void => {
      this.#charge(1);
      stack.push(value);
    };
    const pop = (): unknown => {
      if (stack.length === 0) this.#fail('an empty stack');
      const value = stack.pop();
      return value === mark ? this.#fail('a mark where a value is wanted') : value;
    };
    const top = (): unknown =>
      stack.length === 0 || stack[stack.length - 1] === mark
        ? this.#fail('an empty stack')
        : stack[stack.length - 1];
    const toMark = (): unknown[] => {
      const at = stack.lastIndexOf(mark);
      if (at < 0) this.#fail('no mark');
      return stack.splice(at).slice(1);
    };
    const dict = (value: unknown): PickleDict => {
      if (value instanceof Forbidden) return new PickleDict();
      return value instanceof PickleDict
        ? value
        : this.#fail('items set on something that is not a dict');
    };
    const list = (value: unknown): unknown[] => {
      if (value instanceof Forbidden) return [];
      return Array.isArray(value)
        ? (value as unknown[])
        : this.#fail('items appended to something that is not a list');
    };
    const pushContainer = (value: unknown): void => {
      this.#charge(containerItems);
      push(value);
    };
    const remember = (key: number, value: unknown): void => {
      this.#charge(memoItems);
      memo.set(key, value);
    };
    const recall = (key: number): void =>
      push(memo.has(key) ? memo.get(key) : this.#fail(`memo ${key} was never set`));
    const text = (count: number): string => utf8.decode(this.#slice(count));
    const u8 = (): number => this.#view.getUint8(this.#take(1));
    const u32 = (): number => this.#view.getUint32(this.#take(4), true);

    for (;;) {
      const code = u8();
      switch (code) {
        case 0x80: {
          // PROTO
          const protocol = u8();
          if (protocol < 2 || protocol > 5) this.#fail(`protocol ${protocol}; expected 2 to 5`);
          break;
        }
        case 0x95:
          this.#length64();
          break; // FRAME
        case 0x2e:
          return pop(); // STOP
        case 0x28:
          push(mark);
          break; // MARK
        case 0x30:
          if (stack.length === 0) this.#fail('an empty stack');
          stack.pop();
          break; // POP
        case 0x31:
          toMark();
          break; // POP_MARK
        case 0x32:
          push(top());
          break; // DUP
        case 0x4e:
          push(null);
          break; // NONE
        case 0x88:
          push(true);
          break;
        case 0x89:
          push(false);
          break;
        case 0x4b:
          push(u8());
          break; // BININT1
        case 0x4d:
          push(this.#view.getUint16(this.#take(2), true));
          break; // BININT2
        case 0x4a:
          push(this.#view.getInt32(this.#take(4), true));
          break; // BININT
        case 0x8a:
          push(this.#long(u8()));
          break; // LONG1
        case 0x8b:
          push(this.#long(u32()));
          break; // LONG4
        case 0x47:
          push(this.#view.getFloat64(this.#take(8), false));
          break; // BINFLOAT
        case 0x8c:
          push(text(u8()));
          break; // SHORT_BINUNICODE
        case 0x58:
          push(text(u32()));
          break; // BINUNICODE
        case 0x8d:
          push(text(this.#length64()));
          break; // BINUNICODE8
        case 0x55:
          push(text(u8()));
          break; // SHORT_BINSTRING
        case 0x54:
          push(text(u32()));
          break; // BINSTRING
        case 0x43:
          push(this.#slice(u8()));
          break; // SHORT_BINBYTES
        case 0x42:
          push(this.#slice(u32()));
          break; // BINBYTES
        case 0x8e:
        case 0x96:
          push(this.#slice(this.#length64()));
          break; // BINBYTES8, BYTEARRAY8
        case 0x29:
          push(new PickleTuple([]));
          break; // EMPTY_TUPLE
        case 0x85:
          push(new PickleTuple([pop()]));
          break; // TUPLE1
        case 0x86: {
          // TUPLE2
          const second = pop();
          push(new PickleTuple([pop(), second]));
          break;
        }
        case 0x87: {
          // TUPLE3
          const third = pop();
          const second = pop();
          push(new PickleTuple([pop(), second, third]));
          break;
        }
        case 0x74:
          push(new PickleTuple(toMark()));
          break; // TUPLE
        case 0x5d:
          push([]);
          break; // EMPTY_LIST
        case 0x6c:
          push(toMark());
          break; // LIST
        case 0x61: {
          // APPEND
          const value = pop();
          list(top()).push(value);
          break;
        }
        case 0x65: {
          // APPENDS
          const values = toMark();
          const target = list(top());
          for (const value of values) target.push(value);
          break;
        }
        case 0x7d:
          pushContainer(new PickleDict());
          break; // EMPTY_DICT
        case 0x73: {
          // SETITEM
          const value = pop();
          const key = pop();
          dict(top()).entries.set(key, value);
          break;
        }
        case 0x75: {
          // SETITEMS
          const values = toMark();
          if (values.length % 2 !== 0) this.#fail('a key without a value');
          const target = dict(top());
          for (let i = 0; i < values.length; i += 2) target.entries.set(values[i], values[i + 1]);
          break;
        }
        case 0x8f:
          pushContainer(new Set());
          break; // EMPTY_SET
        case 0x90: {
          // ADDITEMS
          const values = toMark();
          const target = top();
          if (target instanceof Forbidden) break;
          if (!(target instanceof Set)) this.#fail('items added to something that is not a set');
          for (const value of values) target.add(value);
          break;
        }
        case 0x71:
          remember(u8(), top());
          break; // BINPUT
        case 0x72:
          remember(u32(), top());
          break; // LONG_BINPUT
        case 0x94:
          remember(memo.size, top());
          break; // MEMOIZE
        case 0x68:
          recall(u8());
          break; // BINGET
        case 0x6a:
          recall(u32());
          break; // LONG_BINGET
        case 0x63:
          push(this.#global(this.#line(), this.#line()));
          break; // GLOBAL
        case 0x93: {
          // STACK_GLOBAL
          const name = pop();
          push(this.#global(pop(), name));
          break;
        }
        case 0x52: {
          // REDUCE
          const args = pop();
          push(this.#call(pop(), args));
          break;
        }
        case 0x81: {
          // NEWOBJ
          const args = pop();
          push(this.#call(pop(), args));
          break;
        }
        case 0x92: {
          // NEWOBJ_EX
          pop(); // keyword arguments: nothing on a list takes any
          const args = pop();
          push(this.#call(pop(), args));
          break;
        }
        case 0x62: {
          // BUILD
          const state = pop();
          this.#build(top(), state);
          break;
        }
        case 0x51:
          push(this.#options.persistent(pop()));
          break; // BINPERSID
        default:
          this.#fail(`opcode 0x${code.toString(16)} is none that torch.save writes`);
      }
    }
  }
}
