/** The device that a request is computed on. */
import { SaeEvalError } from '../../errors.js';

/**
 * `wanted`, or the first CUDA device, else the CPU. `present`: the devices of this machine, the CPU
 * first.
 * @throws SaeEvalError `device-unavailable` listing the devices that are present.
 */
export function resolveDevice(wanted: string | undefined, present: readonly string[]): string {
  if (wanted === undefined) return present[1] ?? 'cpu';
  const name = wanted === 'cuda' ? 'cuda:0' : wanted;
  if (present.includes(name)) return name;
  const message =
    `expected one of ${present.join(', ')}, found ${wanted}` +
    (present.length === 1 ? ' (this machine has no CUDA device, or libtorch is a CPU build)' : '');
  throw new SaeEvalError('device-unavailable', `device: ${message}`, {
    fields: [{ path: 'device', message }],
  });
}
