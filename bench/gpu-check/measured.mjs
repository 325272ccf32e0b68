/** Time of work on a device: the host only starts it, so the device is waited for. */
import { cuda, scope } from '../../dist/src/torch/index.js';

/** Milliseconds of one call of `body`, on average. Tensors that it makes are freed. */
export function milliseconds(device, body, { repeat = 20, warm = 3 } = {}) {
  const call = () =>
    scope(() => {
      body();
      return null;
    });
  for (let i = 0; i < warm; i++) call();
  cuda.synchronize(device);
  const from = performance.now();
  for (let i = 0; i < repeat; i++) call();
  cuda.synchronize(device);
  return (performance.now() - from) / repeat;
}

/** Gigabytes per second, to three digits. */
export function rate(bytes, ms) {
  return `${(bytes / ms / 1e6).toPrecision(3)} GB/s`;
}
