/** The SAEs below a folder or in a repository of the local Hugging Face cache, in a line each. */
import { SaeEvalError } from '../errors.js';
import { nameBelow } from '../evaluation/request/checkpoints/pattern.js';
import { placedByPath } from '../evaluation/request/path-hook.js';
import { located } from '../hub-cache.js';
import { missingPath } from '../missing-path.js';
import { hookPointsOf, hookPointsOutOf, kOf } from '../sae/description.js';
import type { SaeFile } from '../sae/formats/recognize.js';
import { GivenSettings } from '../sae/given.js';
import { sortOf } from '../sae/checkpoint-names.js';
import { saeIn, saesBelow, type SaeBelow } from '../sae/saes-below.js';
import { obstacleOf } from './choices.js';

/** An SAE in a few words and numbers; null for what its files do not say. */
export interface ListedSae {
  /** Path, as a request names it. */
  path: string;
  /** Prefix of its tensors, if the file holds several. */
  prefix: string | null;
  format: string;
  /** The kind that its file tells; null if it could be several. */
  kind: string | null;
  /** Hook points that it reads, one after the other. */
  hook: string | null;
  /** Hook points that a transcoder predicts; null for other SAEs. */
  hookOut: string | null;
  d: number;
  m: number;
  k: number | null;
  publishedL0: number | null;
  /** Reason why it cannot be evaluated. */
  obstacle: string | null;
}

export interface SaeListing {
  saes: ListedSae[];
  /** Why files are left out that could not be read. */
  damaged: SaeEvalError[];
  /** Number of files with the ending of a checkpoint that are no SAE. */
  others: number;
}

function listed(path: string, file: SaeFile, isOne: boolean): ListedSae {
  const candidates = file.candidates();
  const given = new GivenSettings(candidates[0] === undefined ? {} : { kind: candidates[0] });
  const description = placedByPath(file.describe(given));
  const asked = new Set(given.faults.map((fault) => fault.path));
  const tellsKind = file.format.candidates === undefined || candidates.length === 1;
  return {
    path,
    prefix: isOne ? null : file.checkpoint.prefix,
    format: description.format,
    kind: tellsKind ? description.kind : null,
    hook: hookPointsOf(description).join(', ') || null,
    hookOut: hookPointsOutOf(description).join(', ') || null,
    d: description.d,
    m: description.m,
    k: asked.has('k') ? null : kOf(description),
    publishedL0: description.publishedL0 ?? description.fromPath?.averageL0 ?? null,
    obstacle: obstacleOf(description),
  };
}

function add(listing: SaeListing, path: string, found: SaeBelow): void {
  if ('isNoSae' in found) listing.others++;
  else if ('error' in found) listing.damaged.push(found.error);
  else
    for (const file of found.files)
      try {
        listing.saes.push(listed(path, file, found.files.length === 1));
      } catch (thrown) {
        if (!(thrown instanceof SaeEvalError)) throw thrown;
        listing.damaged.push(thrown);
      }
}

/**
 * The SAEs below a folder, or in a repository of the cache, by headers and configurations alone.
 * @throws SaeEvalError `file-not-found`.
 */
export async function listSaes(typed: string): Promise<SaeListing> {
  const real = located(typed, 'SAE');
  const sort = sortOf(real);
  if (sort === 'other') throw missingPath(typed, { hub: 'SAE' });
  const listing: SaeListing = { saes: [], damaged: [], others: 0 };
  if (sort === 'file') {
    add(listing, typed, await saeIn(real));
    return listing;
  }
  for await (const found of saesBelow(real))
    add(listing, nameBelow(typed, real, found.path), found);
  return listing;
}
