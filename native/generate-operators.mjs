/**
 * Prints src/torch/generated/operators.ts: TypeScript signatures of every public ATen operator,
 * from the schemas of the libtorch that the addon was built against. `npm run generate` writes the
 * file, which is checked in; a test compares the two.
 */
import { createRequire } from 'node:module';

const addon = createRequire(import.meta.url)(
  process.env.SAE_EVAL_ADDON ?? '../build/addon/sae_eval.node',
);

function splitTopLevel(text) {
  const parts = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if ('([{'.includes(text[i])) depth++;
    else if (')]}'.includes(text[i])) depth--;
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

const scalars = {
  Tensor: 'Tensor',
  Scalar: 'Scalar',
  int: 'Int',
  SymInt: 'Int',
  float: 'number',
  bool: 'boolean',
  str: 'string',
  ScalarType: 'DType',
  Device: 'string',
  Layout: 'Layout',
  MemoryFormat: 'MemoryFormat',
  number: 'Scalar',
  complex: 'number',
  Generator: 'Generator',
  Storage: 'Tensor',
  QScheme: 'string',
  SymBool: 'boolean',
};

/** The TypeScript type of a schema type, or null if JavaScript has none. */
function typescript(type) {
  const bare = type.replace(/\([a-z]!?(?:\s*->\s*\*)?\)/g, '');
  if (bare.endsWith('?')) {
    const inner = typescript(bare.slice(0, -1));
    return inner && `${inner} | null`;
  }
  const list = /^(.*)\[(\d*)\]$/.exec(bare);
  if (list) {
    const inner = typescript(list[1]);
    if (!inner) return null;
    const typed = { Int: 'Ints', number: 'Floats' }[inner];
    const array = typed ?? (inner.includes('|') ? `readonly (${inner})[]` : `readonly ${inner}[]`);
    return list[2] === '' || inner === 'Tensor' ? array : `${array} | ${inner}`;
  }
  return scalars[bare] ?? null;
}

/** The TypeScript type of a result, for that of an argument. */
const given = (type) => ({ Int: 'number', Ints: 'number[]', Floats: 'number[]' })[type] ?? type;

function parse(schema) {
  const match = /^aten::([A-Za-z]\w*?)(?:\.(\w+))?\((.*)\) -> (.*)$/.exec(schema);
  if (!match) return null;
  const [, name, overload = '', args, returned] = match;
  let named = false;
  const parameters = [];
  for (const part of splitTopLevel(args)) {
    if (part === '*') {
      named = true;
      continue;
    }
    const found = /^(\S+(?:\([a-z]!?(?:\s*->\s*\*)?\))?\S*) (\w+)(?:=(.*))?$/.exec(part);
    if (!found) return null;
    const [, type, parameter, fallback] = found;
    const ts = typescript(type);
    if (!ts) return null;
    parameters.push({
      name: parameter,
      ts,
      optional: fallback !== undefined || type.endsWith('?'),
      named,
    });
  }
  const results = splitTopLevel(
    returned.startsWith('(') && returned.endsWith(')') && !/^\([a-z]!?\)/.test(returned)
      ? returned.slice(1, -1)
      : returned,
  );
  const types = results.map((result) =>
    given(typescript(result.split(' ')[0].replace(/\([a-z]!?(?:\s*->\s*\*)?\)/g, ''))),
  );
  if (types.some((type) => type === null)) return null;
  const labels = results.map((text) => text.split(' ')[1]);
  const labelled = labels.every((label) => label !== undefined);
  const result =
    types.length === 0
      ? 'void'
      : types.length === 1
        ? types[0].replace(/^readonly /, '')
        : `[${types
            .map((type, i) => (labelled ? `${safe(labels[i])}: ${type}` : type))
            .join(', ')}]`;
  return { name, overload, parameters, result };
}

const safe = (name) =>
  /^(in|function|default|var|new|delete|this|with|return|enum|export|import)$/.test(name)
    ? `${name}_`
    : name;

/** Signatures with all arguments by position, then with those that have defaults by name. */
function signatures({ name, parameters, result }, { method }) {
  const all = method ? parameters.slice(1) : parameters;
  const list = (positional, options) => {
    const texts = positional.map((p) => `${safe(p.name)}${p.optional ? '?' : ''}: ${p.ts}`);
    if (options.length > 0) {
      const must = options.some((p) => !p.optional);
      texts.push(
        `options${must ? '' : '?'}: { ` +
          `${options.map((p) => `${p.name}${p.optional ? '?' : ''}: ${p.ts}`).join('; ')} }`,
      );
    }
    return `  ${name}(${texts.join(', ')}): ${result};`;
  };
  const positional = all.filter((p) => !p.named);
  // TypeScript has no required parameter after an optional one: `| null` parameters before one
  // become required.
  let seenRequired = false;
  const ordered = [...positional]
    .reverse()
    .map((p) => {
      if (!p.optional) seenRequired = true;
      return { ...p, optional: p.optional && !seenRequired };
    })
    .reverse();
  const named = all.filter((p) => p.named);
  const mustBeNamed = named.some((p) => !p.optional);
  const first = list(
    mustBeNamed ? ordered.map((p) => ({ ...p, optional: false })) : ordered,
    named,
  );
  const leading = ordered.filter((p) => !p.optional);
  const trailing = ordered.filter((p) => p.optional);
  const splits = trailing
    .slice(0, 3)
    .map((_, i) =>
      list(
        [...leading, ...trailing.slice(0, i).map((p) => ({ ...p, optional: false }))],
        [...trailing.slice(i), ...named],
      ),
    );
  return [first, ...splits];
}

const reserved = new Set([
  'item',
  'dispose',
  'shape',
  'strides',
  'dtype',
  'device',
  'numel',
  'disposed',
  'toTypedArray',
  'toArray',
  'toString',
  'requiresGrad',
  'data',
  'index',
  'to',
]);
const operators = [];
for (const schema of [...addon.operatorSchemas()].sort()) {
  const operator = parse(schema);
  if (!operator || operator.overload.includes('name') || operator.overload.includes('Dimname'))
    continue;
  if (
    operator.parameters.some(
      (p) => p.name.startsWith('out') && p.named && p.ts === 'readonly Tensor[]',
    )
  )
    continue;
  operators.push(operator);
}
const functions = operators.flatMap((operator) => signatures(operator, { method: false }));
const methods = operators.filter(
  (o) =>
    o.parameters[0]?.name === 'self' &&
    o.parameters[0].ts === 'Tensor' &&
    !reserved.has(o.name) &&
    !o.parameters.some((p) => p.name === 'out'),
);
const names = [...new Set(methods.map((o) => o.name))].sort();

const release = addon.versions().libtorch;
process.stdout.write(`/* eslint-disable */
// Generated by native/generate-operators.mjs from the schemas of libtorch ${release}. Do not edit.
import type { DType, Floats, Int, Ints, Layout, MemoryFormat, Scalar, Tensor } from '../tensor.js';
import type { Generator } from '../generator.js';

/** Every public ATen operator, as functions. */
export interface Operators {
${[...new Set(functions)].join('\n')}
}

/** The operators whose first argument is \`self\`, as methods. */
export interface TensorMethods {
${[...new Set(methods.flatMap((each) => signatures(each, { method: true })))].join('\n')}
}

/** Names of {@link TensorMethods}. */
export const methodNames: readonly string[] = '${names.join(' ')}'.split(' ');
`);
console.error(`${operators.length} overloads, ${names.length} methods`);
