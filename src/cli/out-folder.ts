/**
 * The folder that `--out` names: free, of the same request (which then continues or is written
 * again), or of another one, which is left alone.
 */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { withoutAnnotations, type ResolvedRequest } from '../schema/index.js';

/** Path of the journal in a folder. */
export const journalIn = (folder: string): string => join(folder, '.journal');
/** The request whose journal lies beside it. */
const requestIn = (folder: string): string => join(folder, '.request.json');

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch(() => null);
  try {
    return text === null ? null : (JSON.parse(text) as unknown);
  } catch {
    return null;
  }
}

/** As it is written to a file: without what is undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

/** Names of the fields in which a stored request differs from the one to run. */
function differences(stored: Fields, request: ResolvedRequest): string[] {
  const wanted = plain(withoutAnnotations(request)) as Fields;
  const { device, ...fields } = wanted;
  const names = new Set([...Object.keys(fields), ...Object.keys(stored)]);
  const differing = [...names].filter((name) => !isDeepStrictEqual(fields[name], stored[name]));
  // A result names the very device, a request need not.
  const has = stored['device'];
  const isSameDevice =
    typeof device !== 'string' || typeof has !== 'string' || has.startsWith(device);
  return [...differing.filter((name) => name !== 'device'), ...(isSameDevice ? [] : ['device'])];
}

/** The fields of a request among those of a result's configuration. */
function requestOf(config: Fields, fields: readonly string[]): Fields {
  const annotations = withoutAnnotations(config);
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => fields.includes(name)));
}

/** Fields of a run as a few words. */
function inWords(stored: Fields): string {
  const saes = Array.isArray(stored['saes']) ? (stored['saes'] as Fields[]) : [];
  const labels = saes.map(({ label, checkpoint }) => String(label ?? checkpoint));
  const shown = labels.slice(0, 4).join(', ') + (labels.length > 4 ? ', …' : '');
  return `${shown} on ${String(stored['model'])}`;
}

function taken(folder: string, what: string, differing: readonly string[]): SaeEvalError {
  return new SaeEvalError(
    'request-invalid',
    `--out: ${folder} holds ${what}, which differs in ${differing.join(', ')}. Choose another ` +
      'folder, or give --overwrite to replace it',
  );
}

/** Whether a run of another request has the folder, as an error; null if it may be used. */
async function otherRun(
  folder: string,
  request: ResolvedRequest,
  fields: readonly string[],
): Promise<SaeEvalError | null> {
  const report: unknown = await readJson(join(folder, 'report.json'));
  if (isObject(report) && isObject(report['config'])) {
    const stored = requestOf(report['config'], fields);
    const differing = differences(stored, request);
    const when = typeof report['createdAt'] === 'string' ? ` of ${report['createdAt']}` : '';
    if (differing.length > 0)
      return taken(folder, `the report of another run (${inWords(stored)}${when})`, differing);
  }
  const begun: unknown = await readJson(requestIn(folder));
  const hasJournal = await stat(journalIn(folder)).then(
    () => true,
    () => false,
  );
  if (!hasJournal || !isObject(begun)) return null;
  const differing = differences(begun, request);
  return differing.length === 0
    ? null
    : taken(folder, `an unfinished run of another request (${inWords(begun)})`, differing);
}

/**
 * Takes a folder for a run: makes it, and notes the request beside the journal to come.
 * @param fields names of the fields of a request.
 * @throws SaeEvalError `request-invalid` if it holds another run, unless that is overwritten.
 */
export async function takeFolder(
  folder: string,
  request: ResolvedRequest,
  { overwrite, fields }: { overwrite: boolean; fields: readonly string[] },
): Promise<void> {
  const other = await otherRun(folder, request, fields);
  if (other !== null && !overwrite) throw other;
  try {
    await mkdir(folder, { recursive: true });
    if (other !== null) await rm(journalIn(folder), { force: true });
    await writeFile(requestIn(folder), `${JSON.stringify(withoutAnnotations(request))}\n`);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code !== 'ENOTDIR' && code !== 'EEXIST') throw asSaeEvalError(thrown, folder);
    throw new SaeEvalError('request-invalid', `--out: ${folder}: a part of this path is a file`);
  }
}

/** Removes what a run needed to continue, once its report is written. */
export async function finishFolder(folder: string): Promise<void> {
  await rm(journalIn(folder), { force: true });
  await rm(requestIn(folder), { force: true });
}
