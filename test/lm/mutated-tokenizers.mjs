/**
 * Loads mutated tokenizer files and uses those that load, in a process of its own: a crash of the
 * native library would end it. Prints counts as JSON. Arguments: the fixture's folder, a seed, how
 * many.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer } from '#src/lm/tokenizer.js';

const [folder, seed, count] = process.argv.slice(2);
const original = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'));
const into = mkdtempSync(join(tmpdir(), 'mutated-'));
writeFileSync(join(into, 'config.json'), '{"pad_token_id": 0}');

let state = Number(seed) * 7919;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const pick = (items) => items[Math.floor(random() * items.length)];

const strings = [
  '',
  'x',
  ' ',
  '\ud800',
  '(',
  '\\p{',
  'a'.repeat(2000),
  '▁',
  '##',
  '<s>',
  'Ġ',
  '🙂',
  'always',
  'never',
  'Isolated',
  'Sequence',
];
const numbers = [-1, 0, 1, 255, 1e9, 2 ** 32, 2 ** 53, 1.5, 1e308];

function mutated(value) {
  if (random() < 0.15) return pick([...strings, ...numbers, null, true, [], {}]);
  if (typeof value === 'string')
    return random() < 0.5 ? pick(strings) : value.slice(0, random() * value.length) + pick(strings);
  if (typeof value === 'number')
    return random() < 0.5 ? pick(numbers) : value + Math.floor(random() * 5) - 2;
  if (typeof value === 'boolean') return !value;
  if (value === null) return pick([...strings, ...numbers, true]);
  if (Array.isArray(value))
    return pick([
      [],
      [...value].reverse(),
      [...value, ...value.slice(0, 3)],
      value.filter(() => random() < 0.8),
    ]);
  return Object.fromEntries(Object.entries(value).filter(() => random() < 0.9));
}

/** Changes one value somewhere; of long lists and objects a few entries are considered. */
function mutate(value, depth = 0) {
  if (value === null || typeof value !== 'object' || (depth > 0 && random() < 0.25))
    return mutated(value);
  const keys = Object.keys(value);
  if (keys.length === 0) return mutated(value);
  const key = pick(keys);
  const copy = Array.isArray(value) ? [...value] : { ...value };
  copy[key] = mutate(value[key], depth + 1);
  return copy;
}

const token = { content: '<s>', special: true, normalized: false, lstrip: false };
const settings = {
  eos_token: '</s>',
  unk_token: { __type: 'AddedToken', ...token },
  add_prefix_space: true,
  legacy: false,
  added_tokens_decoder: { 1: token, 7: { ...token, content: 'special', rstrip: true } },
  additional_special_tokens: ['<a>', token],
  padding_token: '<p>',
};
const classes = ['GPT2Tokenizer', 'GPTNeoXTokenizerFast', 'GemmaTokenizer', 'LlamaTokenizer', null];

const counts = { loaded: 0, refused: 0, other: [] };
for (let n = 0; n < Number(count); n++) {
  let text = JSON.stringify(random() < 0.5 ? mutate(original) : mutate(mutate(original)));
  if (random() < 0.05) text = text.slice(0, random() * text.length);
  writeFileSync(join(into, 'tokenizer.json'), text);
  const config = { ...mutate(settings), tokenizer_class: pick(classes) };
  writeFileSync(join(into, 'tokenizer_config.json'), JSON.stringify(config));
  try {
    const tokenizer = await loadTokenizer(into);
    const [ids] = await tokenizer.encodeBatch([
      'Hello wörld 🙂  x\u0000',
      'a',
      '',
      'supercalifragil aaaaaaa <s> special',
    ]);
    tokenizer.truncate(ids, 3);
    tokenizer.decode(ids);
    counts.loaded++;
  } catch (error) {
    if (error.code === 'tokenizer-invalid') counts.refused++;
    else counts.other.push(String(error));
  }
}
process.stdout.write(
  JSON.stringify({ ...counts, peakBytes: process.resourceUsage().maxRSS * 1024 }),
);
