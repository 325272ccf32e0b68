/** Files of a model folder that decide what the model and its tokenizer compute. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from './config.js';
import { weightPaths } from './weight-files.js';

const stems =
  'config|generation_config|tokenizer\\w*|special_tokens_map|added_tokens|vocab|merges|manifest';
const settings = new RegExp(`^(?:(?:${stems})\\.(?:json|txt|model)|chat_template\\.jinja)$`);

/** Paths by use: settings are read once, weights stay mapped as long as the model is loaded. */
export interface ModelFiles {
  settings: readonly string[];
  weights: readonly string[];
}

/**
 * Files of a model as they are now.
 * @throws SaeEvalError `model-invalid` for an index that names none.
 */
export async function modelFiles({ path, script }: ModelConfig): Promise<ModelFiles> {
  const names = (await readdir(path)).filter((name) => settings.test(name)).sort();
  const { index, files } =
    script === undefined
      ? await weightPaths(path)
      : { index: null, files: [join(path, script.program)] };
  return {
    settings: [...names.map((name) => join(path, name)), ...(index === null ? [] : [index])],
    weights: files,
  };
}
