// Calls operators one after the other and says on descriptor 3 what is begun and how it ended, line
// by line, written at
// once: when the process dies, the last line tells in which call. node child.mjs ADDON-ENTRY SEED
// DRAWS, names on standard input.
import { readFileSync, writeSync } from 'node:fs';
import { drawer, hash, random } from './draw.mjs';
import { parseSchema } from './schema.mjs';

const [entry, seed, draws] = process.argv.slice(2);
const torch = await import(entry);
torch.setNumThreads(1);
const schemas = new Map(
  torch
    .operatorSchemas()
    .filter((schema) => schema.startsWith('aten::'))
    .map((schema) => parseSchema(schema))
    .map((parsed) => [parsed.name, parsed]),
);
const say = (line) => writeSync(3, `${JSON.stringify(line)}\n`);

/** The error's code where it is one of the binding's; anything else is a fault. */
function ended(error) {
  const message = String(error?.message).split('\n')[0].slice(0, 160);
  return error instanceof torch.TorchError
    ? { outcome: 'error', code: error.code, message }
    : { outcome: 'untyped', code: String(error?.name), message };
}

/** Looks at an answer as a program would: what an operator hands out must be safe to read. */
function read(answer) {
  if (Array.isArray(answer)) answer.forEach(read);
  if (!torch.isTensor(answer)) return;
  try {
    if (answer.numel < 2 ** 16) answer.toTypedArray();
    if (answer.device === 'cpu' && answer.layout === 'strided' && answer.is_contiguous())
      answer.asTypedArray();
  } catch (error) {
    if (!(error instanceof torch.TorchError)) throw error;
  }
}

const only = process.env.WALK_DRAW;
for (const name of readFileSync(0, 'utf8')
  .split('\n')
  .filter((line) => line !== '')) {
  const parsed = schemas.get(name);
  for (let i = 0; i < Number(draws); i++) {
    if (only !== undefined && Number(only) !== i) continue;
    say({ begin: name, draw: i });
    const outcome = torch.scope(() => {
      try {
        const given = drawer(torch, random(hash(`${seed} ${name} ${i}`)))(parsed);
        if (process.env.WALK_SHOW) console.error(name, given);
        read(torch.operator(name)(...given));
        return { outcome: 'answered' };
      } catch (error) {
        return ended(error);
      }
    });
    say({ name, draw: i, ...outcome });
  }
}
say({ done: true });
