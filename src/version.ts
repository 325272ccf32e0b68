/** The version of this package. */
import { readFileSync } from 'node:fs';
import { packageRoot } from './torch/setup/paths.js';

export const packageVersion: string = (
  JSON.parse(readFileSync(`${packageRoot}package.json`, 'utf8')) as { version: string }
).version;
