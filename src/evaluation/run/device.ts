/** The device that a request asks for, and the one that it is computed on. */
import { SaeEvalError } from '../../errors.js';

/**
 * `wanted`; `cuda` means any CUDA device, and so does no wish where there is one. `present`: the
 * devices of this machine, the CPU first. `freeBytes`: the free memory of a device, by which one of
 * several is chosen; of equal ones, and where it is not known, the first.
 * @throws SaeEvalError `device-unavailable` listing the devices that are present.
 */
export function resolveDevice(
  wanted: string | undefined,
  present: readonly string[],
  freeBytes: (device: string) => number | null = () => null,
): string {
  if (wanted !== undefined && present.includes(wanted)) return wanted;
  const [first, ...others] = present.filter((name) => name !== 'cpu');
  if (wanted === undefined || wanted === 'cuda') {
    if (first !== undefined) {
      if (others.length === 0) return first;
      const free = new Map(present.map((name) => [name, freeBytes(name) ?? 0]));
      return others.reduce(
        (best, name) => (free.get(name)! > free.get(best)! ? name : best),
        first,
      );
    }
    if (wanted === undefined) return 'cpu';
  }
  const message =
    `expected one of ${present.join(', ')}, found ${wanted}` +
    (first === undefined ? ' (this machine has no CUDA device, or libtorch is a CPU build)' : '');
  throw new SaeEvalError('device-unavailable', `device: ${message}`, {
    fields: [{ path: 'device', message }],
  });
}

/** The kind of a device: `cuda` of `cuda:1`. */
export function kindOfDevice(device: string): string {
  return device.replace(/:\d+$/, '');
}

/**
 * The device that a request asks for: what it says, or else the kind that it is computed on.
 * @throws SaeEvalError `device-unavailable` listing the devices that are present.
 */
export function askedDevice(wanted: string | undefined, present: readonly string[]): string {
  const device = resolveDevice(wanted, present);
  return wanted ?? kindOfDevice(device);
}
