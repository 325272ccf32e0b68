/** Where the parts that set-up makes are kept. Native-free. */
import { fileURLToPath } from 'node:url';

/** Root folder of the package: the one with package.json. */
export const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));

/** The addon's file; `SAE_EVAL_ADDON` overrides it. It need not exist. */
export function addonPath(): string {
  return process.env['SAE_EVAL_ADDON'] ?? `${packageRoot}build/addon/sae_eval.node`;
}
