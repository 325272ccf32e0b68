/** Operators of the dispatcher, by name. */
import type { Operators } from './generated/operators.js';
import type { Asynchronous } from './asynchronous.js';
import { native, type NativeOperator } from './native.js';

const operators = new Map<string, NativeOperator>();

/**
 * The operator of a name (`add`, `aten::add`, `sae_eval::…`; `add.Tensor` for one overload,
 * `relu.default` for the one without a name), looked up once.
 *
 * The operator takes positional arguments in the order of the schema, then one plain object with
 * named arguments. It calls the first overload that fits and returns its result: several results as
 * an array, and the argument itself for in-place operators.
 *
 * `.async` computes on another thread and returns a promise. It checks the arguments at once. The
 * tensors may be disposed of meanwhile, but must not be written to. The gradient and inference mode
 * of the call apply.
 * @throws TorchError `torch-argument` if no overload fits, `torch-operator` or `device-memory`
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
 * The calls that fail with `torch-refused` because libtorch would end the process; `*` means all
 * overloads.
 */
export function refusedCalls(): { operator: string; reason: string }[] {
  return native().refusedCalls();
}

/** The schemas of all operators, as libtorch prints them. */
export function operatorSchemas(): string[] {
  return native().operatorSchemas();
}

/**
 * All operators, typed by their schemas: `ops.linear(x, weight, bias)`, `ops.topk(x, 64, { dim: -1
 * })`, `await ops.matmul.async(a, b)`, ….
 */
export const ops: Asynchronous<Operators> = Object.create(
  new Proxy(Object.create(null) as object, {
    get: (_, name, receiver: object) => {
      // A promise that resolves to `ops` asks for `then`.
      if (typeof name !== 'string' || name === 'then') return undefined;
      const value = operator(name);
      // A plain property from now on: faster than the proxy.
      Object.defineProperty(receiver, name, { value, enumerable: true });
      return value;
    },
  }),
) as Asynchronous<Operators>;
