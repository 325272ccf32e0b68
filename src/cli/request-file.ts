/** Requests as people write them: JSON or YAML, in a file or on standard input. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import type * as Yaml from 'yaml';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { missingPath } from '../missing-path.js';
import { jsonFault, placeIn } from '../json-fault.js';

/** Aliases of YAML that may be followed, so that a small file cannot grow without bound. */
const mostAliases = 100;

const malformed = (name: string, at: { line: number; col: number } | null, message: string) =>
  new SaeEvalError(
    'body-malformed',
    `${name}${at === null ? '' : `, line ${at.line}, column ${at.col}`}: ${message}`,
  );

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (thrown) {
    if (text.trim() === '') throw malformed(name, null, 'expected a request, found nothing');
    const fault = jsonFault(text);
    if (fault === null) throw malformed(name, null, (thrown as Error).message);
    throw malformed(name, placeIn(text, fault.at), `not JSON: ${fault.message}`);
  }
}

function parseYaml(text: string, name: string): unknown {
  // A tenth of a second to load, which commands without a YAML file are spared.
  const { LineCounter, parseDocument } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    version: '1.2',
    schema: 'core',
    merge: true,
    prettyErrors: false,
  });
  // A tag that is not known is a warning; nothing in a request needs one.
  const [fault] = [...document.errors, ...document.warnings];
  if (fault !== undefined) {
    const isSecond = fault.code === 'MULTIPLE_DOCS';
    const says = isSecond ? 'expected one of them, found multiple documents' : fault.message;
    throw malformed(name, lineCounter.linePos(fault.pos[0]), `not YAML: ${says}`);
  }
  try {
    return document.toJS({ maxAliasCount: mostAliases }) as unknown;
  } catch (thrown) {
    throw malformed(name, null, `not YAML: ${(thrown as Error).message}`);
  }
}

/** Content of a text as `format`; without one, JSON if it begins like JSON, else YAML. */
export function parseRequestText(
  text: string,
  { name, format }: { name: string; format?: 'json' | 'yaml' },
): unknown {
  // UTF-16 read as UTF-8: every second character is NUL, or the mark at its begin is no character.
  if (/^\uFFFD\uFFFD|^[^\0]?\0/.test(text))
    throw malformed(name, null, 'expected UTF-8, found UTF-16 or bytes; save it as UTF-8');
  // Editors on Windows begin a file with a byte-order mark.
  const plain = text.replace(/^\uFEFF/, '');
  const isJson = format === 'json' || (format === undefined && /^\s*(?:[{[]|$)/.test(plain));
  return isJson ? parseJson(plain, name) : parseYaml(plain, name);
}

async function standardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** Format by the end of a file's name. */
const formatOf: Readonly<Record<string, 'json' | 'yaml'>> = {
  '.json': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
};

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    throw (thrown as NodeJS.ErrnoException).code === 'ENOENT'
      ? missingPath(path, { what: 'file' })
      : asSaeEvalError(thrown, path);
  }
}

/**
 * Content of a JSON or YAML file; `-` is standard input.
 * @throws SaeEvalError `file-not-found`, `file-unreadable`, `body-malformed` with line and column.
 */
export async function readRequest(path: string): Promise<unknown> {
  if (path === '-') return parseRequestText(await standardInput(), { name: 'standard input' });
  const format = formatOf[extname(path).toLowerCase()];
  return parseRequestText(await textOf(path), {
    name: path,
    ...(format === undefined ? {} : { format }),
  });
}
