/**
 * The folder that `--out` names: free, of the same request (which then continues or is written
 * again), or of another one, which is left alone.
 */
import { existsSync, statSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { asSaeEvalError, SaeEvalError } from '../errors.js';
import { makeFolder } from '../files/index.js';
import {
  resolvedRequestFields,
  withoutAnnotations,
  type ResolvedRequest,
} from '../schema/index.js';
import { filesIn, reportFiles } from './run-files.js';
import { takeLock } from './run-lock.js';

/** Path of the journal in a folder. */
export const journalIn = (folder: string): string => join(folder, '.journal');
const lockIn = (folder: string): string => join(folder, '.lock');
/** The request whose journal lies beside it. */
const requestIn = (folder: string): string => join(folder, '.request.json');

/** Differing fields that are named. */
const mostNamed = 8;

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

/** A request whose files were looked at. */
export interface KnownRequest {
  request: ResolvedRequest;
  /** Whether samples begin with BOS, by the request or the SAEs' files. */
  prependBos: boolean | undefined;
}

/** Paths of the fields in which two values differ. */
function paths(a: unknown, b: unknown, path = ''): string[] {
  if (isDeepStrictEqual(a, b)) return [];
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length)
    return a.flatMap((item, i) => paths(item, b[i], `${path}[${i}]`));
  if (!isObject(a) || !isObject(b)) return [path];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].flatMap((name) =>
    paths(a[name], b[name], path === '' ? name : `${path}.${name}`),
  );
}

/** Paths of the fields in which a stored request differs from the one to run. */
function differences(stored: ResolvedRequest, { request, prependBos }: KnownRequest): string[] {
  const [has, wanted] = [stored, request].map((one) => plain(withoutAnnotations(one)));
  return paths(has, wanted).filter((path) => {
    // A result names the very device, and the BOS that the files ask for; a request need not.
    if (path === 'device')
      return stored.device?.startsWith(request.device ?? stored.device) === false;
    if (path !== 'dataset.prependBos') return true;
    const { prependBos: asked } = request.dataset;
    const there = stored.dataset.prependBos;
    return there !== (asked ?? prependBos) && (there !== undefined || asked !== undefined);
  });
}

/** The request in a stored configuration, defaults of this version filled in; null if none. */
function requestOf(config: unknown): ResolvedRequest | null {
  if (!isObject(config)) return null;
  const fields = Object.entries(config).filter(([name]) => name in resolvedRequestFields.shape);
  return resolvedRequestFields.safeParse(Object.fromEntries(fields)).data ?? null;
}

/** A run in a few words. */
function inWords({ saes, model }: ResolvedRequest): string {
  const labels = saes.map(({ label, checkpoint }) => label ?? checkpoint);
  const shown = labels.slice(0, 4).join(', ') + (labels.length > 4 ? ', …' : '');
  return `${shown} on ${model}`;
}

function taken(folder: string, what: string, differing: readonly string[]): SaeEvalError {
  const shown = differing.slice(0, mostNamed).join(', ');
  const more = differing.length > mostNamed ? ` and ${differing.length - mostNamed} more` : '';
  return new SaeEvalError(
    'request-invalid',
    `--out: ${folder} holds ${what}, which differs in ${shown}${more}. Choose another folder, or ` +
      'give --overwrite to replace it',
  );
}

/** Whether a run of another request has the folder, as an error; null if it may be used. */
async function otherRun(folder: string, known: KnownRequest): Promise<SaeEvalError | null> {
  const path = join(folder, 'report.json');
  const report = await readJson(path);
  const reported = isObject(report) ? requestOf(report['config']) : null;
  if (reported === null && existsSync(path))
    return new SaeEvalError(
      'request-invalid',
      `--out: ${folder} holds a report.json that is damaged or of another program. Choose ` +
        'another folder, or give --overwrite to replace it',
    );
  if (isObject(report) && reported !== null) {
    const differing = differences(reported, known);
    const when = typeof report['createdAt'] === 'string' ? ` of ${report['createdAt']}` : '';
    if (differing.length > 0)
      return taken(folder, `the report of another run (${inWords(reported)}${when})`, differing);
  }
  const plan = await readJson(join(folder, 'plan.json'));
  const planned = isObject(plan) ? requestOf(plan['request']) : null;
  if (planned !== null) {
    const differing = differences(planned, known);
    if (differing.length > 0)
      return taken(folder, `the shards of another run (${inWords(planned)})`, differing);
  }
  const begun = existsSync(journalIn(folder)) ? requestOf(await readJson(requestIn(folder))) : null;
  const differing = begun === null ? [] : differences(begun, known);
  return begun === null || differing.length === 0
    ? null
    : taken(folder, `an unfinished run of another request (${inWords(begun)})`, differing);
}

/** @throws SaeEvalError `request-invalid` if a folder has the name of a file to be written. */
function refuseFolders(folder: string): void {
  const { sums, latents } = filesIn(folder);
  const files = [...reportFiles.map(({ name }) => join(folder, name)), sums, latents];
  const taken = files.find((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory());
  if (taken === undefined) return;
  const message = `--out: ${taken} is a folder, and a file of the run has this name`;
  throw new SaeEvalError('request-invalid', `${message}. Choose another folder for the run`);
}

/**
 * @throws SaeEvalError `request-invalid` if a part of the path is a file, or a file to be written
 *   would meet a folder.
 */
function makeOut(folder: string): void {
  if (folder === '') throw new SaeEvalError('request-invalid', '--out: expected a folder');
  const isFile = (): SaeEvalError =>
    new SaeEvalError('request-invalid', `--out: ${folder}: a part of this path is a file`);
  try {
    makeFolder(folder);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw code === 'ENOTDIR' || code === 'EEXIST' ? isFile() : asSaeEvalError(thrown, folder);
  }
  if (!statSync(folder).isDirectory()) throw isFile();
  refuseFolders(folder);
}

/**
 * Takes a folder for a run: makes it, and notes the request beside the journal to come.
 * @throws SaeEvalError `request-invalid` if it holds another run, unless that is overwritten.
 */
export async function takeFolder(
  folder: string,
  known: KnownRequest,
  { overwrite = false }: { overwrite?: boolean } = {},
): Promise<void> {
  const other = await otherRun(folder, known);
  if (other !== null && !overwrite) throw other;
  makeOut(folder);
  try {
    if (other !== null) await rm(journalIn(folder), { force: true });
    await writeFile(requestIn(folder), `${JSON.stringify(withoutAnnotations(known.request))}\n`);
  } catch (thrown) {
    throw asSaeEvalError(thrown, folder);
  }
}

/**
 * Makes the folder of a run and locks it, so that no other run writes there meanwhile.
 * @returns the function that gives it back.
 * @throws SaeEvalError `request-invalid` if another run has it, or it cannot be made.
 */
export function lockFolder(folder: string): () => void {
  makeOut(folder);
  let lock: ReturnType<typeof takeLock>;
  try {
    lock = takeLock(lockIn(folder));
  } catch (thrown) {
    throw asSaeEvalError(thrown, folder);
  }
  if (typeof lock === 'function') return lock;
  throw new SaeEvalError(
    'request-invalid',
    `--out: ${lock.heldBy} is writing to ${folder}: wait for its end, or choose another folder ` +
      `(if that process is gone, remove ${lockIn(folder)})`,
  );
}

/** Removes what a run needed to continue, once its report is written. */
export async function finishFolder(folder: string): Promise<void> {
  await rm(journalIn(folder), { force: true });
  await rm(requestIn(folder), { force: true });
}
