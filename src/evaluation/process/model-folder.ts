/** Which folders are language models, by the names of their files. */
import { weightFileNames } from '../../lm/weight-file-names.js';

export { hasScriptManifest } from '../../lm/script-manifest.js';

/** Weights of OpenMOSS' SAEs, which lie with a config.json as models do. */
const saeFiles = ['sae_weights.safetensors', 'sae_weights.pt'];

/**
 * Of a folder's files the one that says what language model it holds, in the order in which it is looked for; null where it
 * holds none. `describesProgram` is asked whether its `manifest.json` is that of a TorchScript model.
 */
export async function modelDescription(names: readonly string[], describesProgram: () => Promise<boolean>): Promise<string | null> {
  const has = (name: string): boolean => names.includes(name);
  if (saeFiles.some(has)) return null;
  if (has('manifest.json') && (await describesProgram())) return 'manifest.json';
  return has('config.json') && weightFileNames.some(has) ? 'config.json' : null;
}
