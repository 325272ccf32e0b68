/** Configurations of formats that may write JSON or YAML. */
import { extname } from 'node:path';
import type { z } from 'zod';
import { readConfig } from '../../checkpoint/json-file.js';
import { readYamlConfig } from '../../checkpoint/yaml-file.js';

/**
 * Value of a configuration that fits a schema, YAML by the end of its name, else JSON.
 * @throws SaeEvalError as {@link readConfig} and {@link readYamlConfig}.
 */
export function readAnyConfig<T>(path: string, schema: z.ZodType<T>): T {
  const isYaml = ['.yaml', '.yml'].includes(extname(path).toLowerCase());
  return isYaml ? readYamlConfig(path, schema) : readConfig(path, schema);
}
