/**
 * Which other devices may hold blocks of a model that does not fit into the one that computes.
 * `SAE_EVAL_WEIGHT_DEVICES` names them: `all`, or names separated by commas.
 */
import { SaeEvalError } from '../../errors.js';

/** Environment variable with the devices. */
export const weightDevicesVariable = 'SAE_EVAL_WEIGHT_DEVICES';

/**
 * @param device the device that computes.
 * @param present names of all devices of this machine.
 * @throws SaeEvalError `configuration-invalid` if one is named that is no CUDA device here.
 */
export function weightDevices(
  device: string,
  present: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): string[] {
  const given = (env[weightDevicesVariable] ?? '').trim();
  if (given === '') return [];
  const gpus = present.filter((name) => name !== 'cpu');
  const asked = given === 'all' ? gpus : given.split(',').map((name) => name.trim());
  const unknown = asked.find((name) => !gpus.includes(name));
  if (unknown !== undefined)
    throw new SaeEvalError(
      'configuration-invalid',
      `${weightDevicesVariable}: expected all, or some of ${gpus.join(', ') || 'no GPU'}, ` +
        `found ${unknown}.`,
    );
  // The CPU computes with its own memory alone.
  return device === 'cpu' ? [] : [...new Set(asked)].filter((name) => name !== device);
}
