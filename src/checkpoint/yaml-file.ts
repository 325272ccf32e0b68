/**
 * Small YAML configurations that lie beside weights. They come from outside: nothing in them makes
 * an object other than mappings, lists and scalars, and a small file cannot grow without bound.
 */
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import type { z } from 'zod';
import { SaeEvalError, type ErrorCode } from '../errors.js';
import { fitSchema, readTextFile, type TextFileOptions } from './json-file.js';
import { mistakenContent } from './mistaken-file.js';

/** Bytes that a configuration may have: those that are published have a few thousand at most. */
const mostBytes = 2 ** 17;

/** Aliases that may be followed, counted as the library does: what they expand to included. */
const mostAliases = 100;

/** Mappings and lists that may lie within each other. */
const deepest = 64;

/**
 * The library. It takes a tenth of a second to load, which processes without a YAML file are
 * spared.
 */
const library = (): typeof Yaml => createRequire(import.meta.url)('yaml') as typeof Yaml;

/** Whether a value nests deeper than `left` more levels; one that contains itself does. */
function isDeeperThan(value: unknown, left: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => isDeeperThan(inner, left - 1));
}

/**
 * Whether mappings and lists are written deeper than `most` levels within each other. Composing a
 * document recurses, and where the stack ends there the whole process may end.
 */
function isWrittenDeeperThan(text: string, most: number): boolean {
  const { Parser } = library();
  const open: [token: Yaml.CST.Token | null | undefined, level: number][] = [];
  for (const token of new Parser().parse(text)) open.push([token, 0]);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [token, level] = next;
    if (!token) continue;
    if (level > most) return true;
    if ('value' in token) open.push([token.value, level]);
    if ('items' in token)
      for (const { key, value } of token.items) open.push([key, level + 1], [value, level + 1]);
  }
  return false;
}

function parseYaml(text: string, path: string, code: ErrorCode): unknown {
  const { isScalar, LineCounter, parseDocument, visit } = library();
  const lineCounter = new LineCounter();
  const refused = (found: string, at?: number) => {
    const { line, col } = lineCounter.linePos(at ?? 0);
    return new SaeEvalError(
      code,
      `${path}${at === undefined ? '' : `, line ${line}, column ${col}`}: expected plain YAML, ` +
        `found something else (${found}).`,
    );
  };
  const tooDeep = () =>
    refused(`mappings or lists more than ${deepest} levels deep, or one in itself`);
  if (isWrittenDeeperThan(text, deepest)) throw tooDeep();
  const document = parseDocument(text, {
    lineCounter,
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: 'error',
  });
  // A tag that is not known is a warning; a configuration of plain values needs none.
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) throw refused(fault.message, fault.pos[0]);
  visit(document, {
    Pair(_, { key }) {
      if (!isScalar(key)) throw refused('a key that is a mapping, a list or an alias');
      // Some readers put the keys of another mapping here, others read a key named <<.
      if (key.value === '<<') throw refused('a merge key, <<', key.range?.[0]);
    },
  });
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: mostAliases });
  } catch (thrown) {
    throw refused(thrown instanceof Error ? thrown.message : String(thrown));
  }
  if (isDeeperThan(value, deepest)) throw tooDeep();
  return value;
}

/**
 * Value of a YAML file (version 1.2, core schema: `yes` is a text) of at most 128 KiB; undefined if
 * there is no such file. Tags, merge keys, keys that are no scalars, repeated keys and several
 * documents are refused.
 * @throws SaeEvalError `file-unreadable`, or `code` with line and column.
 */
export function readYamlFile(path: string, { code, limit = mostBytes }: TextFileOptions): unknown {
  const text = readTextFile(path, { code, limit });
  if (text === null) return undefined;
  const mistake = mistakenContent(text);
  if (mistake !== null) throw new SaeEvalError(code, `${path}: expected YAML; ${mistake}.`);
  return parseYaml(text, path, code);
}

/**
 * Value of a YAML file of at most 128 KiB that fits a schema, as {@link readYamlFile}.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, or `checkpoint-format`.
 */
export function readYamlConfig<T>(path: string, schema: z.ZodType<T>): T {
  const value = readYamlFile(path, { code: 'checkpoint-format' });
  if (value === undefined)
    throw new SaeEvalError('file-not-found', `${path}: there is no such file.`);
  return fitSchema(path, value, schema);
}
