/** Files of a model folder that decide what the model and its tokenizer compute. */
import { join } from 'node:path';
import { namesIn } from '../files/index.js';
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
export function modelFiles({ path, script }: ModelConfig): ModelFiles {
  const names = namesIn(path)
    .filter((name) => settings.test(name))
    .sort();
  const { index, files } =
    script === undefined ? weightPaths(path) : { index: null, files: [join(path, script.program)] };
  return {
    settings: [...names.map((name) => join(path, name)), ...(index === null ? [] : [index])],
    weights: files,
  };
}
