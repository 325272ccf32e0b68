/**
 * Recognises the format of a folder or file by its configuration and its tensors, never by the name
 * of a file alone, and describes the SAE in it.
 */
import { basename, dirname, join } from 'node:path';
import { withWeights } from '../../checkpoint/parametrizations.js';
import { readParts } from '../../checkpoint/parts.js';
import { readCheckpoint, type Checkpoint } from '../../checkpoint/read.js';
import { onlyByCode, pickledModule } from '../../checkpoint/state-dict.js';
import { asSaeEvalError, SaeEvalError } from '../../errors.js';
import { factsOf, isFile } from '../../files/index.js';
import { missingPath } from '../../missing-path.js';
import type { SaeKind } from '../../schema/index.js';
import type { Place, SaeDescription } from '../description.js';
import { GivenSettings } from '../given.js';
import { transcoding } from '../transcoding.js';
import { usedTensors } from '../used-tensors.js';
import type { Format, FormatDescription, FormatFile } from './format.js';
import { formats } from './formats.js';
import { refuseLanguageModel, refuseShard, unknownFolder } from './not-an-sae.js';
import { encoderNames } from './plain-tensors.js';
import { configuredBeside, ofWords, onlyWeights } from './renamed.js';
import { plainPrefix, saeViews } from './sae-views.js';
import { knowsMostKeys, notesOnUnknown, refuseUnsupported } from './vocabulary.js';

/** Kinds that an SAE of a published format can be evaluated as, nearest first. */
function kindsOf({ kinds, form, activation }: FormatDescription): readonly [SaeKind, ...SaeKind[]] {
  if (kinds !== undefined) return kinds;
  if (form === 'crosscoder' || form === 'cross-layer') return ['Crosscoder'];
  switch (activation.kind) {
    case 'relu':
    case 'matching-pursuit': // no fixed number of latents, and no threshold
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

  /** A dictionary as the transcoder that the request says it is. */
  #asked(described: FormatDescription, { fields }: GivenSettings): FormatDescription {
    const isOne = described.form === 'dictionary' && described.place.over === 'hook point';
    if (fields.hookOut === undefined || !isOne) return described;
    return transcoding(described, { dOut: described.d, out: null });
  }

  /**
   * Describes the SAE as the kind that is given, or as the only one it can be. Settings that are
   * missing or do not fit are collected in `given`.
   * @throws SaeEvalError `checkpoint-*`, `sae-kind`.
   */
  describe(given: GivenSettings): SaeDescription {
    const { kinds, ...described } = this.#asked(this.#described(given), given);
    given.checkSaid(described);
    const kind = chooseKind(
      kindsOf({ ...described, ...(kinds ? { kinds } : {}) }),
      given.fields.kind,
    );
    const { format, checkpoint, configPath } = this;
    const place = placeAs(kind, described.place);
    return { format: format.name, checkpoint, configPath, ...described, kind, place };
  }

  /** The nearest description, or the reason why there is none. */
  nearest(): SaeDescription | SaeEvalError {
    try {
      const [kind] = this.candidates();
      return this.describe(new GivenSettings(kind === undefined ? {} : { kind }));
    } catch (error) {
      if (error instanceof SaeEvalError) return error;
      throw error;
    }
  }
}

const folders = formats.flatMap((format) =>
  format.folder === undefined ? [] : [{ format, ...format.folder }],
);

/** A folder's weights, with the format and the configuration beside them. */
interface Located {
  weights: string;
  format: Format | null;
  configPath: string | null;
}

/** The weights that a path leads to in a folder of a format, or null. */
function inFolder(path: string, isFolder: boolean): Located | null {
  for (const { format, weights, config } of folders) {
    for (const name of weights) {
      const base = isFolder ? path : name.split('/').reduce((at) => dirname(at), path);
      const [weightsPath, configPath] = [join(base, name), join(base, config)];
      if ((isFolder || join(path) === weightsPath) && isFile(weightsPath) && isFile(configPath))
        return { weights: weightsPath, format: ofWords(format, configPath, folders), configPath };
    }
  }
  return null;
}

function lookedAt(path: string): ReturnType<typeof factsOf> {
  try {
    return factsOf(path);
  } catch (thrown) {
    throw asSaeEvalError(thrown, path);
  }
}

/** @throws SaeEvalError `file-not-found`, or `checkpoint-format` for a folder of no format. */
function locate(path: string): Located {
  const facts = lookedAt(path);
  if (facts === null) throw missingPath(path, { hub: 'SAE' });
  const isFolder = facts.isDirectory();
  refuseLanguageModel(path, { isFolder });
  if (!isFolder) refuseShard(path);
  if (!isFolder && folders.some(({ config }) => config === basename(path)))
    return locate(dirname(path));
  const found = inFolder(path, isFolder);
  if (found !== null) return found;
  const alone = ['params.npz', 'params.safetensors'].map((name) => join(path, name));
  const file = isFolder ? (alone.find(isFile) ?? onlyWeights(path, folders)) : path;
  if (file === null)
    throw unknownFolder(
      path,
      folders.map(({ format: { name }, ...one }) => ({ ...one, name })),
    );
  return { weights: file, format: null, configPath: null };
}

/** Names of numbered weights and of the configurations beside them. */
const partName = /^(?:\w+_\d{1,4}\.safetensors|config\.(?:json|yaml))$/;

/** The SAE of the folder that a path is, or of whose files it is one, if they are parts of one. */
async function inParts(path: string): Promise<SaeFile | null> {
  const stat = lookedAt(path);
  // Folders are listed only for files that could be a part: a folder may have thousands of SAEs.
  const isPossible = stat?.isDirectory() === true || partName.test(basename(path));
  if (stat === null || !isPossible) return null;
  const folder = stat.isDirectory() ? path : dirname(path);
  for (const format of formats) {
    const parts = format.parts?.(folder) ?? null;
    if (parts === null) continue;
    const own = [...parts.files.map((part) => part.path), parts.configPath];
    if (!stat.isDirectory() && !own.includes(join(path))) continue;
    return new SaeFile(format, await readParts(folder, parts.files), parts.configPath);
  }
  return null;
}

/** Whether a view is no SAE because it lacks tensors or has others. */
const isIncomplete = (nearest: SaeDescription | SaeEvalError): boolean =>
  nearest instanceof SaeEvalError &&
  (nearest.code === 'checkpoint-keys' || nearest.code === 'checkpoint-shape');

/** Whether a configuration and the weights beside it are of the format they are described as. */
function isOfFormat(file: SaeFile): boolean {
  const nearest = file.nearest();
  if (!(nearest instanceof SaeEvalError) || nearest.code === 'sae-option') return true;
  // One that its format refuses is not read as something else.
  const { vocabulary } = file.format;
  return (
    nearest.code === 'sae-kind' &&
    vocabulary !== undefined &&
    knowsMostKeys(vocabulary, file.configPath)
  );
}

/**
 * The view in the format of its folder, or in the first that finds an SAE in it; else in the first
 * that takes it.
 */
function inFormat(checkpoint: Checkpoint, { format, configPath }: Located): SaeFile {
  if (format !== null) return new SaeFile(format, checkpoint, configPath);
  for (const beside of configuredBeside(checkpoint.path, folders)) {
    const file = new SaeFile(beside.format, checkpoint, beside.configPath);
    if (isOfFormat(file)) return file;
  }
  const taken: SaeFile[] = [];
  for (const one of formats) {
    const own = one.file?.(checkpoint) ?? null;
    if (own === null) continue;
    const file = new SaeFile(one, own.checkpoint, own.configPath);
    // A configuration belongs to its format alone.
    if (own.configPath !== null || !isIncomplete(file.nearest())) return file;
    taken.push(file);
  }
  return taken[0]!; // the last format takes every file
}

/** Tensors of the file that a description computes with, by where they lie. */
function tensorsOf(description: SaeDescription): Set<string> {
  const { entries } = description.checkpoint;
  return new Set(
    [...usedTensors(description)].map((name) => {
      const { byteOffset, shape, strides, deflated, weightNorm } = entries.get(name)!;
      const norm = weightNorm?.magnitude.byteOffset;
      return JSON.stringify([deflated?.byteOffset, byteOffset, shape, strides, norm]);
    }),
  );
}

/** The complete SAEs among the views, without those that are parts of another. */
function complete(files: readonly SaeFile[]): SaeFile[] {
  const found: { file: SaeFile; tensors: ReadonlySet<string> | null }[] = [];
  for (const file of files) {
    const nearest = file.nearest();
    if (isIncomplete(nearest)) continue;
    // One that a format refuses for another reason stays: its error is the one to tell.
    const tensors = nearest instanceof SaeEvalError ? null : tensorsOf(nearest);
    const isPart = found.some(
      ({ tensors: outer }) =>
        outer !== null && tensors !== null && [...tensors].every((tensor) => outer.has(tensor)),
    );
    if (!isPart) found.push({ file, tensors });
  }
  return found.map(({ file }) => file);
}

/** Throws what keeps a file without a complete SAE from being read, if that is Python's code. */
function refuseCode({ path, contents }: Checkpoint): void {
  const opaque = [...contents.opaque.values()];
  const module = opaque.find(({ isModule }) => isModule);
  if (module !== undefined) throw pickledModule(path, module.what);
  const holder = opaque.find(({ holdsTensors }) => holdsTensors);
  if (holder !== undefined) throw onlyByCode(path, holder.what);
}

/**
 * The SAEs in a file or folder, from configurations and headers alone; mostly one. A file without
 * any is given as it is, and describing it says why.
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`.
 */
export async function recognizeAll(path: string): Promise<[SaeFile, ...SaeFile[]]> {
  const ofLayers = await inParts(path);
  if (ofLayers !== null) return [ofLayers];
  const located = locate(path);
  const whole = await readCheckpoint(located.weights);
  const first = inFormat(withWeights(whole), located);
  // The configuration of a folder belongs to the state dict that its library would take.
  if (located.format !== null && !isIncomplete(first.nearest())) return [first];
  const views = saeViews(whole.contents).map((view) => inFormat(view, located));
  const [found, ...others] = complete(views);
  if (found !== undefined) return [found, ...others];
  if (!isIncomplete(first.nearest())) return [first];
  refuseCode(whole);
  const nearest = views.find(({ format }) => format.name !== 'routesae');
  const direct = [...whole.entries.keys()].some((name) => encoderNames.includes(name));
  return [direct || views.length === 0 ? first : (nearest ?? views.at(-1)!)];
}

/**
 * The one SAE in a file or folder, or the one below a prefix.
 * @throws SaeEvalError `file-not-found`, `checkpoint-*`; `sae-option` for several without a prefix,
 *   or none below it.
 */
export async function recognize(path: string, prefix?: string): Promise<SaeFile> {
  const files = await recognizeAll(path);
  const isMeant = (file: SaeFile): boolean =>
    prefix === undefined || file.checkpoint.prefix === prefix;
  const meant = files.filter(isMeant);
  const nearly = files.filter(
    ({ checkpoint }) => plainPrefix(checkpoint.prefix) === plainPrefix(prefix ?? ''),
  );
  const [file, other] = meant.length > 0 ? meant : nearly;
  if (file !== undefined && other === undefined) return file;
  const prefixes = files.map(({ checkpoint }) => `'${checkpoint.prefix.slice(0, 200)}'`);
  const shown = prefixes.slice(0, 20).join(', ') + (prefixes.length > 20 ? ', …' : '');
  const message =
    prefix === undefined
      ? `holds ${files.length} SAEs, whose tensors begin with ${shown}: give one as \`prefix\``
      : `expected ${prefixes.length > 1 ? 'one of ' : ''}${shown}, found '${prefix.slice(0, 200)}'`;
  throw new SaeEvalError('sae-option', `${path}: ${message}.`, {
    fields: [{ path: 'prefix', message }],
  });
}
