/** A format of SAE files: how it is recognized and described. */
import type { CheckpointPart } from '../../checkpoint/parts.js';
import type { Checkpoint } from '../../checkpoint/read.js';
import type { SaeKind } from '../../schema/index.js';
import type { Described, SaeForm } from '../description.js';
import type { GivenSettings } from '../given.js';
import type { Vocabulary } from './vocabulary.js';

/** A file, or the weights of a folder, with the configuration that lies beside them. */
export interface FormatFile {
  readonly checkpoint: Checkpoint;
  /** Path of the configuration; null if the format has none. */
  readonly configPath: string | null;
}

/** The files of an SAE that lies in a folder of several. */
export interface FolderParts {
  readonly files: readonly CheckpointPart[];
  /** Path of the configuration; null if there is none. */
  readonly configPath: string | null;
}

/** Description of an SAE, apart from the file it lies in and the kind it is used as. */
export type FormatDescription = Pick<
  Described,
  'place' | 'notes' | 'obstacle' | 'fromPath' | 'publishedL0' | 'exclusion' | 'prependBos'
> &
  SaeForm & {
    /** Kinds it can be evaluated as, nearest first; left out if they follow from its activation. */
    kinds?: readonly [SaeKind, ...SaeKind[]];
  };

export interface Format {
  readonly name: string;
  /** Names of the weights and of the configuration beside them, for formats that are folders. */
  readonly folder?: { readonly weights: readonly string[]; readonly config: string };
  /**
   * For formats whose weights lie in several files of a folder: those files and the configuration
   * beside them; null for a folder of another format.
   */
  parts?(folder: string): FolderParts | null;
  /** Keys and tensors that it knows; the others of a file become notes. */
  readonly vocabulary?: Vocabulary;
  /**
   * For formats that are told by a file's content or name: the file with its configuration, or null
   * if it is in another format.
   */
  file?(checkpoint: Checkpoint): FormatFile | null;
  /** Kinds among which a request must choose, if the file does not tell its kind. */
  candidates?(file: FormatFile): readonly SaeKind[];
  /**
   * Describes the SAE. Settings that the request must give are asked for through `given`.
   * @throws SaeEvalError `checkpoint-*`, `sae-kind`.
   */
  describe(file: FormatFile, given: GivenSettings): FormatDescription;
}
