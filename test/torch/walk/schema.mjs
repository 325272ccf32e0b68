// A schema as libtorch prints it, taken apart: `aten::add.Tensor(Tensor self, Tensor other, *,
// Scalar alpha=1) -> Tensor`.

/** The parts between commas that stand in no bracket. */
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

/**
 * `{ name, arguments: [{ name, type, optional, hasDefault, named, written }] }`; `name` with its
 * overload (`.default` for none).
 */
export function parseSchema(schema) {
  const open = schema.indexOf('(');
  const close = schema.lastIndexOf(') -> ');
  const full = schema.slice(0, open);
  let named = false;
  const parameters = [];
  for (const part of splitTopLevel(schema.slice(open + 1, close))) {
    if (part === '*') {
      named = true;
      continue;
    }
    const written = /\([a-z]!/.test(part);
    const bare = part.replace(/\([a-z]!?(?:\s*->\s*\*)?(?:\|[a-z])*\)/g, '');
    const found = /^(\S+) (\w+)(=.*)?$/.exec(bare);
    if (found === null) throw new Error(`a parameter of ${full} cannot be read: ${part}`);
    const optional = found[1].endsWith('?');
    parameters.push({
      name: found[2],
      type: optional ? found[1].slice(0, -1) : found[1],
      optional,
      hasDefault: found[3] !== undefined,
      named,
      written,
    });
  }
  return { name: full.includes('.') ? full : `${full}.default`, arguments: parameters };
}
