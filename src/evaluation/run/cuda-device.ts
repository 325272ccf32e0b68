/** Questions of a run to the CUDA device that it computes on. */
import type { Bilingual } from '../../bilingual.js';
import { cuda, versions } from '../../torch/index.js';

/** Free memory of a device; null if nobody tells. Makes no context on it. */
export function freeOnDevice(device: string): number | null {
  try {
    return cuda.describe(device).freeBytes;
  } catch {
    return null;
  }
}

/** The GPU as its driver names it, or the CPU with the instructions that libtorch uses. */
export function nameOfDevice(device: string): string {
  if (device === 'cpu') return `CPU (${versions().cpu})`;
  try {
    return cuda.deviceName(device);
  } catch {
    return device;
  }
}

/** The warning of a result whose run went on after memory ran out. */
export function memoryShort(device: string): Bilingual {
  return {
    en:
      `The memory of ${device} ran out during the run. Less was computed at once from then on ` +
      '(config.microBatch), which takes longer and may change the last digits.',
    zh:
      `运行期间 ${device} 的内存不足。此后每次计算的量减少（见 config.microBatch），` +
      '因此耗时更长，最后几位数字可能不同。',
  };
}
