/**
 * Recognises the format of a folder or file by its configuration and its tensors, never by the name
 * of a file alone, and describes the SAE in it.
 */
import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readCheckpoint, type Checkpoint } from '../../checkpoint/read.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import type { SaeKind } from '../../schema/index.js';
import type { Place, SaeDescription } from '../description.js';
import { GivenSettings } from '../given.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { formats } from './formats.js';
import { notesOnUnknown, refuseUnsupported } from './vocabulary.js';

/** Kinds that an SAE of a published format can be evaluated as, nearest first. */
function kindsOf({ kinds, form, activation }: FormatDescription): readonly [SaeKind, ...SaeKind[]] {
  if (kinds !== undefined) return kinds;
  if (form === 'crosscoder') return ['Crosscoder'];
  switch (activation.kind) {
    case 'relu':
      return ['Vanilla'];
    case 'gated':
      return ['Gated'];
    case 'jumprelu':
      return ['JumpReLU'];
    case 'topk':
      return ['TopK', 'RandomK'];
    case 'own':
      throw new Error('a format names the kinds of an activation of its own');
  }
}

/** The kind asked for, else the nearest. @throws SaeEvalError `sae-kind`. */
function chooseKind(kinds: readonly [SaeKind, ...SaeKind[]], wanted: SaeKind | undefined): SaeKind {
  if (wanted === undefined || kinds.includes(wanted)) return wanted ?? kinds[0];
  const message =
    `the file is evaluated as ${kinds.join(' or ')}, not as ${wanted}: ` + 'leave `kind` out';
  throw new SaeEvalError('sae-kind', message, { fields: [{ path: 'kind', message }] });
}

function placeAs(kind: SaeKind, place: Place): Place {
  const named = place.over === 'hook point' ? place.named : null;
  if (kind === 'RandomK' && place.over !== 'drawn layer') return { over: 'drawn layer', named };
  return kind === 'MLSAE' ? { over: 'routed range', layers: null } : place;
}

/** A file or folder whose format is known. */
export class SaeFile implements FormatFile {
  constructor(
    readonly format: Format,
    readonly checkpoint: Checkpoint,
    readonly configPath: string | null,
  ) {}

  /** Kinds it can be evaluated as, nearest first; none if it is no SAE. */
  candidates(): readonly SaeKind[] {
    if (this.format.candidates !== undefined) return this.format.candidates(this);
    return kindsOf(this.#described(new GivenSettings()));
  }

  /** The description of its format, with notes on what no format knows. */
  #described(given: GivenSettings): FormatDescription {
    const { vocabulary } = this.format;
    if (vocabulary === undefined) return this.format.describe(this, given);
    refuseUnsupported(vocabulary, this);
    const described = this.format.describe(this, given);
    const notes = [...described.notes, ...notesOnUnknown(vocabulary, this, described)];
    return { ...described, notes };
  }

  /**
   * Describes the SAE as the kind that is given, or as the only one it can be. Settings that are
   * missing or do not fit are collected in `given`.
   * @throws SaeEvalError `checkpoint-*`, `sae-kind`.
   */
  describe(given: GivenSettings): SaeDescription {
    const { kinds, ...described } = this.#described(given);
    const kind = chooseKind(
      kindsOf({ ...described, ...(kinds ? { kinds } : {}) }),
      given.fields.kind,
    );
    const { format, checkpoint, configPath } = this;
    const place = placeAs(kind, described.place);
    return { format: format.name, checkpoint, configPath, ...described, kind, place };
  }
}

const isFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

const folders = formats.flatMap((format) =>
  format.folder === undefined ? [] : [{ format, ...format.folder }],
);

/** The file that a path leads to as a folder's weights, with the configuration beside them. */
async function inFolder(path: string, isFolder: boolean): Promise<SaeFile | null> {
  for (const { format, weights, config } of folders) {
    for (const name of weights) {
      const base = isFolder ? path : name.split('/').reduce((at) => dirname(at), path);
      const [weightsPath, configPath] = [join(base, name), join(base, config)];
      if ((isFolder || join(path) === weightsPath) && isFile(weightsPath) && isFile(configPath))
        return new SaeFile(format, await readCheckpoint(weightsPath), configPath);
    }
  }
  return null;
}

/**
 * Recognises the format of a folder or file from configurations and headers alone.
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`.
 */
export async function recognize(path: string): Promise<SaeFile> {
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch (error) {
    throw asSaeEvalError(error, path);
  }
  if (!isFolder && folders.some(({ config }) => config === basename(path)))
    return recognize(dirname(path));
  const found = await inFolder(path, isFolder);
  if (found !== null) return found;
  const alone = ['params.npz', 'params.safetensors'].map((name) => join(path, name));
  const file = isFolder ? alone.find(isFile) : path;
  if (file === undefined) {
    const known = folders.map(({ weights, config }) => `${config} and ${weights.join(' or ')}`);
    throw new SaeEvalError(
      'checkpoint-format',
      `${path}: expected a folder with ${known.join('; ')}; or params.npz or params.safetensors.`,
    );
  }
  const checkpoint = await readCheckpoint(file);
  for (const format of formats) {
    const own = format.file?.(checkpoint) ?? null;
    if (own !== null) return new SaeFile(format, own.checkpoint, own.configPath);
  }
  throw new Error('the last format takes every file');
}
