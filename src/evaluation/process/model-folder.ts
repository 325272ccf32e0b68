/** Which folders are language models, by the names of their files. Loads nothing native. */
import { hasScriptManifest } from '../../lm/script-manifest.js';
import { weightFileNames } from '../../lm/weight-files.js';

/** Weights of OpenMOSS' SAEs, which lie with a config.json as models do. */
const saeFiles = ['sae_weights.safetensors', 'sae_weights.pt'];

/** Of a folder's files the one that says what language model it holds; null where it holds none. */
export async function modelDescription(folder: string, names: readonly string[]): Promise<string | null> {
  const has = (name: string): boolean => names.includes(name);
  if (saeFiles.some(has)) return null;
  if (has('config.json') && weightFileNames.some(has)) return 'config.json';
  return has('manifest.json') && (await hasScriptManifest(folder).catch(() => false)) ? 'manifest.json' : null;
}
