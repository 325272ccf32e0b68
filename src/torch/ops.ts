/** Every operator of the dispatcher by name. */
import type { Operators } from './generated/operators.js';
import type { Asynchronous } from './asynchronous.js';
import { native, type NativeOperator } from './native.js';

const operators = new Map<string, NativeOperator>();

/**
 * The operator of that name (`add`, `aten::add`, `sae_eval::…`; `add.Tensor` for one overload,
 * `relu.default` for the one without a name), looked up once.
 *
 * It takes positional arguments in the order of the schema, then one plain object with named ones,
 * chooses the first overload that fits and returns its result (several results as an array;
 * in-place operators return their argument).
 *
 * `.async` computes on another thread and returns a promise: arguments are checked at once, those
 * tensors may be disposed of meanwhile, and must not be written to. Gradient and inference mode are
 * those of the call.
 * @throws TorchError `torch-argument` where no overload fits, `torch-operator` or `device-memory`
 *   from libtorch.
 */
export function operator(name: string): NativeOperator {
  let found = operators.get(name);
  if (found === undefined) {
    found = native().operator(name);
    operators.set(name, found);
  }
  return found;
}

/** An object with these operators as properties, each looked up when it is first read. */
export function operatorTable<Table extends object>(names: Record<keyof Table, string>): Table {
  const table = {} as Table;
  for (const [property, name] of Object.entries<string>(names)) {
    const settle = (value: NativeOperator): NativeOperator => {
      Object.defineProperty(table, property, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(table, property, {
      configurable: true,
      enumerable: true,
      get: () => settle(operator(name)),
    });
  }
  return table;
}

/**
 * The calls that are refused, with error `torch-refused`, since libtorch would end the process; `*`
 * for all overloads.
 */
export function refusedCalls(): { operator: string; reason: string }[] {
  return native().refusedCalls();
}

/** The schemas of all operators, as libtorch prints them. */
export function operatorSchemas(): string[] {
  return native().operatorSchemas();
}

/**
 * `ops.linear(x, weight, bias)`, `ops.topk(x, 64, { dim: -1 })`, `await ops.matmul.async(a, b)`, …:
 * typed by the schemas.
 */
export const ops: Asynchronous<Operators> = Object.create(
  new Proxy(Object.create(null) as object, {
    get: (_, name, receiver: object) => {
      // `then`: a promise may resolve to it
      if (typeof name !== 'string' || name === 'then') return undefined;
      const value = operator(name);
      // From now on a property like any other, which no proxy slows down.
      Object.defineProperty(receiver, name, { value, enumerable: true });
      return value;
    },
  }),
) as Asynchronous<Operators>;
