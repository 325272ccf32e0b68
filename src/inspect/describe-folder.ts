/** The SAEs that lie in a folder which is none itself: files and folders of published formats. */
import { join } from 'node:path';
import { asSaeEvalError, type SaeEvalError } from '../errors.js';
import { factsIfAny, namesIn } from '../files/index.js';
import type { CheckpointDescription } from '../schema/catalogue.js';
import { describeCheckpoint } from './describe-checkpoint.js';

/** A checkpoint, or why it cannot be read as one. */
export type FoundCheckpoint = { path: string } & (
  { description: CheckpointDescription } | { error: SaeEvalError }
);

const checkpointEnding = /\.(?:pt|pth|bin|ckpt|npz|safetensors)$/;
/** Most entries that are described. */
const most = 200;

const isFolder = (path: string): boolean => factsIfAny(path)?.isDirectory() === true;

async function found(path: string): Promise<FoundCheckpoint> {
  try {
    return { path, description: await describeCheckpoint(path) };
  } catch (thrown) {
    return { path, error: asSaeEvalError(thrown, path) };
  }
}

/**
 * The checkpoints directly in a folder, by name; sub-folders count if they are published SAEs.
 * Empty if there is none, or the path is no folder.
 */
export async function describeFolder(folder: string): Promise<FoundCheckpoint[]> {
  if (!isFolder(folder)) return [];
  const names = namesIn(folder).filter((name) => !name.startsWith('.'));
  const described: FoundCheckpoint[] = [];
  for (const name of names.sort().slice(0, most)) {
    const path = join(folder, name);
    const inside = isFolder(path);
    if (!inside && !checkpointEnding.test(name)) continue;
    const one = await found(path);
    if (!inside || 'description' in one) described.push(one);
  }
  return described;
}
